// Sentences are short: none has more than LIMIT words, and at most SHARE of a page's have more than LONG. A piece of code counts as one word.
"use strict";
const LIMIT = 40;
const LONG = 25;
const SHARE = 0.2;

const { splitAST } = require("sentence-splitter");

function words(node) {
  if (node.type === "Code") return " code ";
  if (node.type === "Html" || node.type === "Image") return " ";
  return node.children ? node.children.map(words).join("") : node.value || "";
}

module.exports = (context) => {
  const { Syntax, RuleError, report } = context;
  const counts = [];
  const look = (node) => {
    if (!node.children.length) return;
    for (const sentence of splitAST({ ...node, type: "Paragraph" }).children.filter((child) => child.type === "Sentence")) {
      const count = words(sentence).split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
      if (!count) continue;
      counts.push({ count, line: sentence.loc.start.line });
      if (count > LIMIT) {
        report(node, new RuleError(`A sentence of ${count} words; ${LIMIT} at most, better under ${LONG}.`, { index: sentence.range[0] - node.range[0] }));
      }
    }
  };
  return {
    [Syntax.Paragraph]: look,
    [Syntax.TableCell]: look,
    [Syntax.DocumentExit](node) {
      const over = counts.filter(({ count }) => count > LONG);
      if (over.length > 2 && over.length > SHARE * counts.length) {
        const lines = over.slice(0, 20).map(({ line }) => line).join(", ");
        report(node, new RuleError(`${over.length} of ${counts.length} sentences have more than ${LONG} words, ${SHARE * 100} % may. Lines: ${lines}.`));
      }
    },
  };
};

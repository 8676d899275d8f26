/** A time span in milliseconds, whatever unit the variable has. */
export type Milliseconds = number & { readonly __unit: "ms" };

/** An amount of data in bytes, whatever unit the variable has. */
export type Bytes = number & { readonly __unit: "bytes" };

/** Environment variables, such as process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that are missing or wrong, all of them at once. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`settings cannot be read from the environment:\n${problems.map((problem) => `- ${problem}`).join("\n")}`);
    this.name = "SettingsError";
    this.problems = problems;
  }
}

// Node's types are not needed for this one object.
declare const process: { readonly env: Environment };

class Refused extends Error {}

type Parse<T> = (text: string) => T;

class Reader {
  readonly #environment: Environment;
  readonly #problems: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  read<T>(key: string, parse: Parse<T>): T {
    const text = this.#environment[key];
    if (text === undefined) {
      this.#problems.push(`${key} is missing`);
    } else {
      try {
        return parse(text);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.#problems.push(`${key}=${JSON.stringify(text)} must be ${error.message}`);
      }
    }
    return undefined as T; // nobody sees it: finish() throws
  }

  finish(): void {
    if (this.#problems.length > 0) throw new SettingsError(this.#problems);
  }
}

function toggle(text: string): boolean {
  if (text !== "true" && text !== "false") throw new Refused("true or false");
  return text === "true";
}

function choice<const T extends string>(...words: readonly T[]): Parse<T> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new Refused(`one of ${words.join(", ")}`);
    return found;
  };
}

function whole(least: number, most: number, words = "a whole number"): Parse<number> {
  return (text) => {
    const value = Number(text);
    if (!/^-?(?:0|[1-9][0-9]{0,14})$/.test(text) || value < least || value > most) throw new Refused(`${words} from ${least} to ${most}`);
    return value + 0; // -0 + 0 is 0
  };
}

function decimal(least: number, most: number): Parse<number> {
  return (text) => {
    const value = Number(text);
    if (!/^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?$/.test(text) || value < least || value > most) {
      throw new Refused(`a number from ${least} to ${most} with at most six decimals`);
    }
    return value + 0; // -0 + 0 is 0
  };
}

function duration(least: number, most: number, unit: number, words: string): Parse<Milliseconds> {
  const amount = whole(least, most, `a whole number of ${words}`);
  return (text) => (amount(text) * unit) as Milliseconds;
}

function size(least: number, most: number, unit: number, words: string): Parse<Bytes> {
  const amount = whole(least, most, `a whole number of ${words}`);
  return (text) => (amount(text) * unit) as Bytes;
}

function matching(pattern: string, words: string): Parse<string> {
  const expression = new RegExp(`^(?:${pattern})$`, "u");
  return (text) => {
    if (!expression.test(text)) throw new Refused(words);
    return text;
  };
}

function items<T>(item: Parse<T>, atLeast: number, words: string): Parse<readonly T[]> {
  return (text) => {
    const parts = text === "" ? [] : text.split(",");
    if (parts.length < atLeast || new Set(parts).size !== parts.length) throw new Refused(words);
    try {
      return Object.freeze(parts.map(item));
    } catch (error) {
      throw error instanceof Refused ? new Refused(words) : error;
    }
  };
}

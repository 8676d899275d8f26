{{- /*
An RSA key pair with its key identifier, where no part of it exists. There is no function that computes a public key, but genPrivateKey "rsa" writes
PKCS#1 (RFC 8017, A.1.2) with 4096 bits, in which modulus and public exponent always stand at the same place: SEQUENCE and version are 7 bytes, the
modulus with its header is 517, the exponent with its header 5. These 522 bytes behind a constant header are the public key (RFC 5280, 4.1).
Should genPrivateKey ever write something else, the check of the headers fails and only the private key is written.
*/}}
{{- $private := index . "jwt-private-key" }}
{{- $public := index . "jwt-public-key" }}
{{- $id := index . "jwt-key-id" }}
{{- if not (or $private $public $id) }}
  {{- $private = genPrivateKey "rsa" }}
  {{- $der := regexReplaceAll "-----[^-]+-----|[[:space:]]" $private "" | b64dec }}
  {{- if and (eq (substr 4 12 $der) "\x02\x01\x00\x02\x82\x02\x01\x00") (eq (substr 524 529 $der) "\x02\x03\x01\x00\x01") }}
    {{- $header := "\x30\x82\x02\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x02\x0f\x00\x30\x82\x02\x0a" }}
    {{- $lines := regexReplaceAll "(.{64})" (substr 7 529 $der | printf "%s%s" $header | b64enc) "${1}\n" }}
    {{- $public = printf "-----BEGIN %[1]s-----\n%[2]s\n-----END %[1]s-----\n" "PUBLIC KEY" $lines }}
    {{- /* RFC 7638: base64url of the SHA-256 of the key's members. sha256sum writes hexadecimal: six digits become four characters. */}}
    {{- $modulus := substr 12 524 $der | b64enc | trimAll "=" | replace "+" "-" | replace "/" "_" }}
    {{- $hash := printf "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"%s\"}" $modulus | sha256sum | printf "%s00" }}
    {{- range $start := untilStep 0 66 6 }}
      {{- $bits := 0 }}
      {{- range $at := until 6 }}
        {{- $digit := substr (int (add $start $at)) (int (add $start $at 1)) $hash }}
        {{- $bits = add (mul $bits 16) (div (len (first (splitList $digit "0 1 2 3 4 5 6 7 8 9 a b c d e f"))) 2) }}
      {{- end }}
      {{- range $weight := list 262144 4096 64 1 }}
        {{- $six := mod (div $bits $weight) 64 }}
        {{- $code := ternary (add 65 $six) (ternary (add 71 $six) (sub $six 4) (lt $six 52)) (lt $six 26) }}
        {{- $id = printf "%s%c" $id (ternary 45 (ternary 95 $code (eq $six 63)) (eq $six 62)) }}
      {{- end }}
    {{- end }}
    {{- $id = trunc 43 $id }}
  {{- end }}
{{- end }}
{{- with $private }}
jwt-private-key: {{ . | toJson }}
{{- end }}
{{- with $public }}
jwt-public-key: {{ . | toJson }}
{{- end }}
{{- with $id }}
jwt-key-id: {{ . | toJson }}
{{- end }}

/** Writes XML: text and elements, no attributes but the root's namespace. */

export type Xml =
  | string
  | number
  | boolean
  | undefined
  | readonly Xml[]
  | { readonly [element: string]: Xml };

/** A list under one name is written as that element again and again; undefined is left out. */
export function xml(root: string, body: Xml, namespace?: string): string {
  const ns = namespace === undefined ? '' : ` xmlns="${escaped(namespace)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${ns}>${inner(body)}</${root}>`;
}

function inner(body: Xml): string {
  if (body === undefined) return '';
  if (isList(body)) return body.map(inner).join('');
  if (typeof body !== 'object') return escaped(`${body}`);
  return Object.entries(body)
    .flatMap(([name, value]) => (isList(value) ? value : [value]).map((one) => element(name, one)))
    .join('');
}

function element(name: string, value: Xml): string {
  return value === undefined ? '' : `<${name}>${inner(value)}</${name}>`;
}

function isList(value: Xml): value is readonly Xml[] {
  return Array.isArray(value);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
};

function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"'\r]/g, (c) => entities[c] ?? c)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot hold them, not even escaped.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  );
}

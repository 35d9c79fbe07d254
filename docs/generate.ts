/**
 * `npm run docs`: writes the pages that are made from code. `test/translate/directives.test.ts` and `test/api/openapi.test.ts` hold them
 * to it; the latter also says when the API's document loses something that somebody may use.
 */
import { writeFileSync } from 'node:fs';
import { document } from '../src/api/document.ts';
import { page } from '../src/translate/directives/page.ts';

writeFileSync(new URL('directives.md', import.meta.url), page());
writeFileSync(new URL('openapi.json', import.meta.url), document());

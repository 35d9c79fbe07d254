/**
 * `npm run docs`: writes the pages that are made from code. `test/translate/directives.test.ts`, `test/api/openapi.test.ts` and
 * `test/deploy/switch.test.ts` hold them to it. The API's document is not written where it lost something that somebody may use: version 1 only grows.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { document } from '../src/api/document.ts';
import { manualOf } from '../src/cli/manual.ts';
import { programOf, type Works } from '../src/cli/program.ts';
import { treeOf } from '../src/cli/tree.ts';
import { page } from '../src/translate/directives/page.ts';
import { breaksOf } from './breaks.ts';
import { userData } from './user-data.ts';

writeFileSync(new URL('directives.md', import.meta.url), page());
for (const [name, text] of Object.entries(userData))
  writeFileSync(new URL(`../deploy/node/user-data/${name}`, import.meta.url), text());
// Only asked what there is; nothing is done.
writeFileSync(new URL('spillway.1', import.meta.url), manualOf(treeOf(programOf({} as Works))));

const file = new URL('openapi.json', import.meta.url);
const broken = breaksOf(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(document()));
for (const what of broken) console.error(`docs/openapi.json: ${what}`);
if (broken.length === 0) writeFileSync(file, document());
else process.exitCode = 1;

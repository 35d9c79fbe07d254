/** `npm run docs`: writes the pages that are made from code; `test/translate/directives.test.ts` holds them to it. */
import { writeFileSync } from 'node:fs';
import { page } from '../src/translate/directives/page.ts';

writeFileSync(new URL('directives.md', import.meta.url), page());

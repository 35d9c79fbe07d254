/** `spillway …` as another user: everything is loaded before, since that user need not be able to read where this lies. */
import { programOf, type Works } from '../../src/cli/program.ts';
import { gatewayOf } from '../../src/main/asking.ts';
import { complaintOf } from '../../src/main/complaint.ts';

const [uid = '', ...words] = process.argv.slice(2);
if (process.getuid?.() !== Number(uid)) {
  process.setgroups?.([]);
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
const works: Partial<Works> = { gateway: gatewayOf, now: () => Date.now() };
programOf(works as Works)
  .parseAsync(['node', 'spillway', ...words])
  .catch((e: unknown) => {
    console.error(complaintOf(e));
    process.exit(1);
  });

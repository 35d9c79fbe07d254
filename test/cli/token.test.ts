import { describe, expect, it } from 'vitest';
import { tokenJson, tokenLines, tokenOrder } from '../../src/cli/token.ts';

const wish = { user: 'alice', role: 'user', scope: 'full', for: '90d', note: '' };
const at = Date.UTC(2026, 0, 5, 8);
const kept = {
  ...({
    id: 'token/0123456789ab',
    user: 'alice',
    role: 'operator',
    note: 'portal',
    by: 'root@gw',
    at,
  } as const),
  ...({ until: at + 86_400_000, state: 'made', usedAt: at + 3_600_000 } as const),
};

describe('spillway token', () => {
  it('takes whose it is, as what, and for how long', () => {
    expect(tokenOrder({ ...wish, for: '4w' })).toEqual({
      user: 'alice',
      role: 'user',
      scope: undefined,
      forMs: 28 * 86_400_000,
      note: '',
    });
  });

  it.each([
    [{ user: 'a b' }, /--user a b: no Unix name/],
    [{ role: 'root' }, /--role root: write user, operator, admin/],
    [{ for: '400d' }, /--for 400d: .* a year at most/],
    [{ for: 'ever' }, /--for ever/],
    [{ note: 'a\nb' }, /--note/],
    [{ scope: 'write' }, /--scope write: write read, or full/],
  ])('refuses %j, and says what to write', (over, words) => {
    expect(() => tokenOrder({ ...wish, ...over })).toThrow(words);
  });

  it('tells them without anything that would let somebody in', () => {
    expect(tokenLines([kept], at)).toEqual([
      '0123456789ab  alice as operator, until 2026-01-06T08:00:00.000Z, used 2026-01-05T09h, made by root@gw at 2026-01-05T08:00:00.000Z: portal',
    ]);
    expect(tokenLines([{ ...kept, state: 'revoked', usedAt: undefined }], at)[0]).toContain(
      'revoked by root@gw, never used',
    );
    expect(tokenLines([kept], at + 86_400_000)[0]).toContain(', over');
    expect(tokenLines([], at)[0]).toContain('spillway token create');
    expect(tokenLines([{ ...kept, scope: 'read' }], at)[0]).toContain('alice as operator to read, until');
    expect(JSON.parse(tokenJson([kept, { ...kept, scope: 'read' }]))).toMatchObject({
      tokens: [{ scope: 'full' }, { scope: 'read' }],
    });
    const withHash = { ...kept, hash: 'secret' };
    expect(tokenJson([withHash])).not.toContain('secret');
    expect(JSON.parse(tokenJson([withHash]))).toMatchObject({
      tokens: [{ id: '0123456789ab', role: 'operator' }],
    });
  });
});

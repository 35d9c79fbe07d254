import { expect, it } from 'vitest';
import { secretOf, signed } from '../../../adapters/webhooks/sign.ts';

it('signs as Standard Webhooks does: the example of its own libraries', () => {
  const secret = secretOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n', 'f');
  expect(signed(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, '{"test": 2432232314}')).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

it.each([
  '',
  'secret',
  'whsec_',
  'whsec_c2hvcnQ=',
  `whsec_${Buffer.alloc(65).toString('base64')}`,
  'whsec_***',
])('takes no weak or broken secret (%s), and says how one is made', (text) => {
  expect(() => secretOf(text, '/etc/hook')).toThrow('/etc/hook: holds no secret; write whsec_');
});

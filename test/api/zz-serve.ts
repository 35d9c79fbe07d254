import { makeBed, offered, burstOfJob, putBurst, decisionOn } from './bed.ts';
const bed = await makeBed({ rate: { perSecond: 100000, atOnce: 100000 } });
const b = offered(100, 'alice'), c = burstOfJob(200, 'bob');
await bed.write(putBurst(b), decisionOn(b), putBurst(c), decisionOn(c));
console.log(JSON.stringify({ base: bed.base, token: await bed.token('ada', 'admin'), burst: b.id }));
process.on('SIGTERM', () => { console.log('complaints', bed.complaints.length, String(bed.complaints.slice(0,5))); void bed.close().then(() => process.exit(0)); });
setInterval(() => undefined, 1000);

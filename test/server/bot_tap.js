// Between a bot and portald: passes everything on, keeps what the bot sends.
//
//   const tap = await startTap(portal.url);   // tap.url for the bot
//   tap.requests                              // [{path, key, body, status}]
//   tap.frames                                // the bot's frames on its socket, texts
//   tap.breaks = { path, times }                 // so many requests get 502, as from a proxy
//   tap.cut()                                 // the socket is gone
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { request } from 'undici';

export async function startTap(target) {
  const tap = { requests: [], frames: [] };
  const server = createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (tap.breaks?.path === req.url && tap.breaks.times-- > 0) return res.writeHead(502).end('bad gateway');
    const { host, connection, 'content-length': length, 'transfer-encoding': coding, ...headers } = req.headers;
    const r = await request(target + req.url, { method: req.method, headers, body: body || undefined });
    tap.requests.push({ path: req.url, key: headers['x-api-key'], body, status: r.statusCode });
    const { connection: c, 'keep-alive': k, ...answer } = r.headers;
    res.writeHead(r.statusCode, answer);
    return res.end(Buffer.from(await r.body.arrayBuffer()));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, (bot) => {
    const portal = new WebSocket(target.replace('http', 'ws') + req.url);
    const early = [];
    bot.on('message', (data) => {
      tap.frames.push(String(data));
      if (portal.readyState === WebSocket.OPEN) portal.send(String(data));
      else early.push(String(data));
    });
    portal.on('open', () => early.forEach((text) => portal.send(text)));
    portal.on('message', (data) => bot.send(String(data)));
    portal.on('error', () => bot.terminate());
    portal.on('close', () => bot.close());
    bot.on('close', () => portal.close());
  }));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  tap.url = `http://127.0.0.1:${server.address().port}`;
  tap.cut = () => sockets.clients.forEach((client) => client.terminate());
  tap.stop = () => new Promise((done) => {
    tap.cut();
    server.close(done);
    server.closeAllConnections();
  });
  return tap;
}

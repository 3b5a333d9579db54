// The usual choice for sockets, as one would write it well: socket.io with `ws`, WebSocket only, no
// compression, the handshake's request let go. It does what belongs to the transport and no more: looks
// the session up in Redis when a client connects, puts it into a room, and gives a message to all in it.
// Nothing is checked, counted or stored on the way, which Portal does.
//
//   PORT, REDIS_URL; prints nothing.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import Redis from 'ioredis';
import { Server } from 'socket.io';
import { redisOptions } from '../server/harness.js';

const redis = new Redis({ ...redisOptions(process.env.REDIS_URL), enableAutoPipelining: true });
const server = createServer((request, response) => response.end('ok'));
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, serveClient: false, maxHttpBufferSize: 65536 });

io.use(async (socket, next) => {
  const token = /(?:^|;\s*)psession=([\w-]{43})(?:;|$)/.exec(socket.handshake.headers.cookie ?? '')?.[1];
  const user = token && await redis.hget(`peer:session:${createHash('sha256').update(token).digest('hex')}`, 'u');
  if (!user) return next(new Error('Authentication required'));
  socket.data.user = Number(user);
  next();
});

let last = 0;
io.on('connection', (socket) => {
  socket.conn.request = null; // as its documentation advises for many connections
  socket.on('room:join', ({ chat_id }, ack) => {
    socket.join(chat_id);
    ack({ ok: true });
  });
  socket.on('message:send', ({ chat_id, content }, ack) => {
    const id = ++last;
    io.to(chat_id).emit('message:new', { chat_id, id, sender: socket.data.user, content });
    ack({ ok: true, id });
  });
});

server.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 });

// The proxies of docs/operations/, each from its very file there, with ports and paths put in.
//
//   const [command, ...args] = await proxies.nginx(at, port, plain, ['127.0.0.1:…', '127.0.0.1:…']);
//
// at(name): a path in the test's folder, where cert.pem and key.pem are for localhost. port: https; plain: http.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');

export async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

// A file of docs/operations with each of `changes` made; what it does not hold is a failure.
async function snippet(name, changes) {
  let text = await readFile(path.join(root, 'docs/operations', name), 'utf8');
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `${name} says "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

// Each writes its configuration and gives the command that runs it in the foreground.
export const proxies = {
  async nginx(at, port, plain, [a, b]) {
    await writeFile(at('portal.conf'), await snippet('nginx.conf', [
      ['    listen [::]:443 ssl http2;\n', ''], ['    listen [::]:80;\n', ''],
      ['listen 443', `listen 127.0.0.1:${port}`], ['listen 80', `listen 127.0.0.1:${plain}`], ['portal.example.org', 'localhost'],
      ['/etc/portal/fullchain.pem', at('cert.pem')], ['/etc/portal/key.pem', at('key.pem')],
      ['127.0.0.1:8081', a], ['127.0.0.1:8082', b],
    ]));
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `${t}_temp_path ${at(t)};`).join(' ');
    await writeFile(at('nginx.conf'), `user root; daemon off; worker_processes 1; pid ${at('nginx.pid')}; error_log ${at('nginx.log')};
      events {} http { access_log off; ${temporary} include ${at('portal.conf')}; }`);
    return ['nginx', '-c', at('nginx.conf'), '-e', at('nginx.log')];
  },
  async haproxy(at, port, plain, [a, b]) {
    await writeFile(at('haproxy.pem'), (await readFile(at('cert.pem'), 'utf8')) + (await readFile(at('key.pem'), 'utf8')));
    await writeFile(at('haproxy.cfg'), await snippet('haproxy.cfg', [
      ['    user haproxy\n    group haproxy\n', ''], ['bind :80\n', `bind 127.0.0.1:${plain}\n`], ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/portal/haproxy.pem', at('haproxy.pem')], ['127.0.0.1:8081', a], ['127.0.0.1:8082', b],
    ]));
    return ['haproxy', '-db', '-f', at('haproxy.cfg')];
  },
  async caddy(at, port, plain, [a, b]) {
    const own = `{\n\tadmin off\n\tgrace_period 1s\n\thttp_port ${plain}\n\thttps_port ${port}\n\tskip_install_trust\n\tstorage file_system ${at('caddy')}\n}\n`;
    await writeFile(at('Caddyfile'), own + await snippet('Caddyfile', [
      ['{$SITE:portal.example.org} {\n', `https://localhost {\n\tbind 127.0.0.1\n\ttls ${at('cert.pem')} ${at('key.pem')}\n`],
      ['{$PORTALD:127.0.0.1:8081 127.0.0.1:8082}', `${a} ${b}`],
    ]));
    return ['caddy', 'run', '--adapter', 'caddyfile', '--config', at('Caddyfile')];
  },
};

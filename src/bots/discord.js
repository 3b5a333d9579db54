// The Discord bot, on discord.js: slash commands, in servers and in direct messages.
//
// What is asked for in a server is answered there with a note that only the person sees; the code itself goes
// out as a direct message.
import { Client, Events, GatewayIntentBits, InteractionContextType, MessageFlags, RESTJSONErrorCodes } from 'discord.js';
import { main, Stop, told, Undelivered } from './portal.js';

const CLOSED = [
  RESTJSONErrorCodes.CannotSendMessagesToThisUser,
  RESTJSONErrorCodes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds,
];
const commands = ['login', 'otp'].map((name) => ({
  name,
  description: 'Get a login code for Portal',
  contexts: [InteractionContextType.Guild, InteractionContextType.BotDM],
}));

main('discord', { token: 'DISCORD_TOKEN', api: ['DISCORD_API_URL', 'https://discord.com/api'] }, (portal) => {
  const { token, api } = portal.settings;
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api }, allowedMentions: { parse: [] } });

  const shown = ({ text, code }) => ({
    content: code ? text.replace(code, `\`${code}\``) : text,
    flags: MessageFlags.SuppressEmbeds,
  });

  const picture = (user) => user.avatarURL({ extension: 'png' }) ?? '';

  async function deliver(id, message) {
    try {
      await client.users.send(id, shown(message));
    } catch (e) {
      if (CLOSED.includes(e.code)) throw new Undelivered('direct messages are closed');
      throw new Undelivered(e.status ? `Discord refused (${e.code ?? e.status})` : 'Discord does not answer');
    }
  }

  async function login(interaction) {
    const alone = interaction.context === InteractionContextType.BotDM;
    await interaction.deferReply(alone ? {} : { flags: MessageFlags.Ephemeral });
    const person = interaction.user;
    const message = await portal.login({ id: person.id, name: person.username, avatar: picture(person) });
    if (alone || !message.code) return interaction.editReply(shown(message));
    let note = 'I have sent you a direct message.';
    await deliver(person.id, message).catch((e) => {
      portal.log('info', 'a code was not delivered', told(e));
      note = 'I cannot write to you. Allow direct messages from members of this server, then ask again.';
    });
    return interaction.editReply(note);
  }

  client.on(Events.InteractionCreate, (interaction) => {
    if (interaction.isChatInputCommand() && commands.some((c) => c.name === interaction.commandName)) portal.track(login(interaction));
  });
  client.on(Events.Error, (e) => portal.log('warn', 'Discord failed', told(e)));
  const ended = new Promise((_, reject) => {
    client.on(Events.Invalidated, () => reject(new Stop('Discord has ended the session for good')));
    client.on(Events.ShardDisconnect, ({ code }) => reject(new Stop(`Discord has closed the connection for good (${code})`)));
  });
  ended.catch(() => {}); // also while nobody waits for it yet

  return {
    deliver,
    ended,
    async start() {
      const ready = new Promise((resolve) => {
        client.once(Events.ClientReady, resolve);
      });
      try {
        await client.login(token);
      } catch (e) {
        throw new Stop(e.code === 'TokenInvalid' ? 'DISCORD_TOKEN is refused by Discord' : `Discord does not let the bot in (${told(e).error})`);
      }
      await Promise.race([ready, ended]);
      await client.application.commands.set(commands);
    },
    report: async () => ({
      group_ids: [...client.guilds.cache.keys()],
      users: client.guilds.cache.reduce((sum, guild) => sum + (guild.memberCount ?? 0), 0),
      latency_ms: client.ws.ping < 0 ? undefined : Math.min(10_000, Math.round(client.ws.ping)),
      avatar_url: picture(client.user),
    }),
    stop: () => client.destroy(),
  };
});

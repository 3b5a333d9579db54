# Portal's images: `docker build .` gives the server, `docker build --target bots .` the bots.
# There is no list of packages here: the Makefile installs those of vendor/packages.txt.
# test/dev/image.sh (`make image-test`) runs these lines without Docker: keep to FROM, RUN, COPY, WORKDIR, ARG, ENV,
# USER, EXPOSE, HEALTHCHECK, ENTRYPOINT and CMD, with paths without spaces.

FROM debian:12-slim AS tools
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make
WORKDIR /portal
COPY Makefile ./
COPY vendor ./vendor
RUN make build/stamp/build

FROM tools AS build
COPY src/web/package.json src/web/package-lock.json ./src/web/
RUN make build/stamp/web
COPY schema ./schema
COPY src ./src
ARG PORTAL_COMMIT=unknown
RUN make image-root DESTDIR=/image PORTAL_COMMIT=$PORTAL_COMMIT

FROM tools AS bots-build
COPY src/bots ./src/bots
RUN make bots

FROM debian:12-slim AS bots
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates nodejs && rm -rf /var/lib/apt/lists/*
COPY --from=bots-build /portal/src/bots /bots
USER 10001:10001
ENV NODE_ENV=production
ENTRYPOINT ["/usr/bin/node"]
CMD ["/bots/telegram.js"]

# No shell, no package manager: two programs and what they load. They write nothing but what `portalctl backup` is told to.
FROM scratch
COPY --from=build /image /
USER 10001:10001
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/portalctl", "health"]
ENTRYPOINT ["/usr/local/bin/portald"]

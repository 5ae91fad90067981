# A static binary on a base without a shell, running as non-root. Module and build caches are kept between builds.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The checkout's .git is not copied, so the revision is an argument.
ARG VERSION=
ARG REVISION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X github.com/mainstay/mainstay/pkg/telemetry.version=${VERSION} -X github.com/mainstay/mainstay/pkg/telemetry.revision=${REVISION}" \
      -o /mainstay ./cmd/mainstay

FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /mainstay /mainstay
# Reachable from outside the container, so only /livez and /readyz are served until http.tokens_file or http.allow_anonymous is set.
ENV MAINSTAY_HTTP_LISTEN=:8080
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/mainstay", "probe"]
ENTRYPOINT ["/mainstay"]
CMD ["run"]

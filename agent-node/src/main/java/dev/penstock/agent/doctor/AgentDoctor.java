package dev.penstock.agent.doctor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.agent.serve.Exposure;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.cli.doctor.Connection;
import dev.penstock.cli.doctor.Connection.Message;
import dev.penstock.cli.doctor.Examination;
import dev.penstock.cli.doctor.Finding;
import dev.penstock.cli.doctor.Judge;
import dev.penstock.cli.doctor.OwnNode;
import dev.penstock.cli.doctor.Seen;
import dev.penstock.cli.doctor.Symptom;
import dev.penstock.cli.doctor.Trust;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.ControlCodec;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Protocol;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Does step by step what an agent with these settings would do, and says which step fails. Its
/// link carries no streams, so that an agent of the same cluster goes on undisturbed.
public final class AgentDoctor {
  private static final String CONTROLLER_PATH = "/api/v1/clusters/agent/ws";
  private static final int MAX_TUNNELS = 20;
  private static final int MAX_MESSAGES = 64;
  private static final int LONGEST_ID = 128;
  private static final String SUFFIX = "-doctor";
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Version 0, type ping, SYN, no stream, and a number that comes back.
  private static final int YAMUX_PING_SYN = 0x0002_0001;

  private static final int YAMUX_PING_ACK = 0x0002_0002;
  private static final int NUMBER = 0x70656e73;

  private final AgentSettings settings;
  private final Examination examination;
  private final Trust trust;
  private final Judge.Checked checked;
  private final ControlCodec codec = new ControlCodec();
  private boolean clockSeen;

  private AgentDoctor(AgentSettings settings, Examination examination) throws IOException {
    this.settings = settings;
    this.examination = examination;
    var tls = settings.tls();
    this.trust = Trust.of(tls.caFile(), tls.certFile(), tls.keyFile());
    this.checked =
        tls.verification() == AgentSettings.Tls.Verification.SKIPPED
            ? Judge.Checked.NO
            : Judge.Checked.YES;
  }

  /// Examines, and tells findings as it goes.
  ///
  /// @throws IOException the TLS files cannot be used
  public static void examine(AgentSettings settings, Examination examination) throws IOException {
    var doctor = new AgentDoctor(settings, examination);
    examination
        .tell()
        .accept(Finding.ok("config", "agent " + settings.id(), "every setting can be used"));
    var own = new OwnNode(examination, settings.management(), doctor.trustOfOwn());
    JsonNode status = own.status("agent");
    settings.services().forEach(doctor::service);
    settings.apiUrls().forEach(url -> doctor.gateway(url, status != null));
  }

  private Trust trustOfOwn() throws IOException {
    var tls = settings.management().tls();
    return tls == null ? trust : Trust.of(tls.cert(), null, null);
  }

  /// Whether the service answers here, where the agent would dial it.
  private void service(ServiceSettings service) {
    if (service.protocol() == Protocol.UDP) {
      examination
          .tell()
          .accept(
              Finding.skipped(
                  "service",
                  service.name(),
                  "UDP: whether anybody takes datagrams cannot be seen"));
      return;
    }
    HostPort target = service.target();
    var dialled = examination.probe().dial(target.host(), target.port());
    if (dialled.connection() != null) {
      dialled.connection().close();
      examination.tell().accept(Finding.ok("service", service.name(), target + " answers"));
    } else {
      examination
          .tell()
          .accept(
              Finding.fault(
                  "service",
                  service.name(),
                  Symptom.SERVICE_AWAY,
                  target + ": " + dialled.seen().detail(),
                  "a service that takes connections",
                  "start it, or correct its target in tunnels.services"));
    }
  }

  private void gateway(URI api, boolean running) {
    Optional<Registered> registered = register(api);
    if (registered.isEmpty()) {
      for (String check : new String[] {"link", "yamux", "public-port"}) {
        examination
            .tell()
            .accept(Finding.skipped(check, api.toString(), "needs what failed above"));
      }
      return;
    }
    link(registered.get());
    publicPorts(api, registered.get().cluster(), running);
    if (!clockSeen) {
      examination
          .tell()
          .accept(Finding.skipped("clock", api.toString(), "the gateway did not say its time"));
    }
  }

  private record Registered(String cluster, URI links) {}

  private Optional<Registered> register(URI api) {
    Connection connection = examination.way(api, trust, checked);
    if (connection == null) {
      return Optional.empty();
    }
    try (connection) {
      Seen.Http seen = connection.upgrade(CONTROLLER_PATH, headers(api));
      if (!upgraded(api, CONTROLLER_PATH, seen)) {
        return Optional.empty();
      }
      examination.tell().accept(Finding.ok("token", api.toString(), "the gateway knows it"));
      return registered(api, connection);
    } catch (IOException | MalformedMessage e) {
      examination.tell().accept(notRegistered(api, String.valueOf(e.getMessage())));
      return Optional.empty();
    }
  }

  /// Judges an upgrade, with a second question where its answer alone does not tell.
  private boolean upgraded(URI api, String path, Seen.Http seen) {
    clock(api, seen);
    Optional<Seen.Http> plain = Optional.empty();
    Optional<Seen.Tls> encrypted = Optional.empty();
    if (seen.outcome() == Seen.Http.Outcome.ANSWERED
        && (!seen.isPenstock() || seen.status() == 404)
        && !(seen.status() == 101 && seen.detail().isEmpty())) {
      plain = plain(api, "-");
    } else if (seen.outcome() == Seen.Http.Outcome.CLOSED
        || seen.outcome() == Seen.Http.Outcome.NOT_HTTP) {
      encrypted = isSecure(api) ? Optional.empty() : examination.encrypted(api, trust);
    }
    return examination.isGood(Judge.upgrade("upgrade", api + path, seen, plain, encrypted))
        && seen.status() == 101;
  }

  private static boolean isSecure(URI url) {
    return "https".equals(url.getScheme()) || "wss".equals(url.getScheme());
  }

  private Optional<Seen.Http> plain(URI api, String cluster) {
    Connection connection = examination.again(api, trust);
    if (connection == null) {
      return Optional.empty();
    }
    try (connection) {
      String path =
          "/api/v1/clusters/agent/"
              + URLEncoder.encode(cluster, StandardCharsets.UTF_8)
              + "/tunnels";
      return Optional.of(examination.probe().get(connection, path, headers(api)));
    }
  }

  private void clock(URI api, Seen.Http seen) {
    Optional<Instant> theirs = Judge.timeOf(seen);
    if (theirs.isPresent() && !clockSeen) {
      clockSeen = true;
      examination
          .tell()
          .accept(Judge.clock(api.getRawAuthority(), theirs.get(), examination.clock().instant()));
    }
  }

  private Map<String, String> headers(URI url) {
    var headers = new LinkedHashMap<String, String>();
    headers.put("Host", url.getRawAuthority());
    headers.put("Authorization", "Bearer " + settings.token().reveal());
    headers.put("User-Agent", "penstock-agent/doctor");
    return headers;
  }

  /// Under a name of its own, so that what a running agent said of itself stays.
  private Optional<Registered> registered(URI api, Connection connection)
      throws IOException, MalformedMessage {
    String id =
        settings.id().substring(0, Math.min(settings.id().length(), LONGEST_ID - SUFFIX.length()))
            + SUFFIX;
    connection.send(
        codec.encode(
            new Register(
                "req_" + UUID.randomUUID(),
                id,
                id,
                "doctor",
                id,
                Map.of(),
                Map.of(),
                Set.of(Register.NAMES_CAPABILITIES),
                "")));
    ControlMessage answer = await(connection, RegisterSuccess.class::isInstance);
    connection.sendClose();
    if (!(answer instanceof RegisterSuccess success)) {
      examination.tell().accept(notRegistered(api, "no answer to register"));
      return Optional.empty();
    }
    URI links = usable(success.gatewayWsUrl());
    if (links == null) {
      examination
          .tell()
          .accept(
              notRegistered(api, "the gateway names no URL to link to: " + success.gatewayWsUrl()));
      return Optional.empty();
    }
    examination
        .tell()
        .accept(
            Finding.ok(
                "registration",
                api.toString(),
                "as cluster " + success.clusterId() + "; links go to " + links));
    return Optional.of(new Registered(success.clusterId(), links));
  }

  private static @Nullable URI usable(@Nullable String url) {
    try {
      URI uri = URI.create(url == null ? "" : url);
      return ("ws".equals(uri.getScheme()) || "wss".equals(uri.getScheme()))
              && uri.getHost() != null
          ? uri
          : null;
    } catch (IllegalArgumentException _) {
      return null;
    }
  }

  private static Finding notRegistered(URI api, String why) {
    return Finding.fault(
        "registration",
        api.toString(),
        Symptom.REGISTRATION_FAILED,
        why,
        "register_success with a URL to link to",
        "look at the gateway's log and at gateway.links_url; a proxy in between may drop messages");
  }

  /// The first message that is wanted; null when it does not come.
  private @Nullable ControlMessage await(Connection connection, Predicate<ControlMessage> wanted)
      throws IOException, MalformedMessage {
    for (int i = 0; i < MAX_MESSAGES; i++) {
      switch (connection.receive()) {
        case null -> {
          return null;
        }
        case Message.Text(var text) -> {
          ControlMessage message = codec.decode(text);
          if (wanted.test(message)) {
            return message;
          }
        }
        case Message.Close(int code, var reason) ->
            throw new IOException("closed with " + code + " " + reason);
        case Message.Binary _ -> {}
      }
    }
    return null;
  }

  private void link(Registered registered) {
    URI url = registered.links();
    String path =
        (url.getRawPath().isEmpty() ? "/ws" : url.getRawPath())
            + "?agent_version=doctor&"
            + Capability.QUERY_PARAMETER
            + "="
            + Capability.format(capabilities())
            + "&cluster_uuid="
            + URLEncoder.encode(registered.cluster(), StandardCharsets.UTF_8)
            + "&supports_yamux="
            + settings.protocol().allows(Carrier.YAMUX)
            + (url.getRawQuery() == null ? "" : "&" + url.getRawQuery());
    boolean sameServer = settings.apiUrls().stream().anyMatch(api -> isSameServer(api, url));
    Connection connection =
        sameServer ? examination.again(url, trust) : examination.way(url, trust, checked);
    if (connection == null) {
      examination.tell().accept(Finding.skipped("yamux", url.toString(), "needs the link"));
      if (sameServer) {
        examination.tell().accept(noLink(url, "it cannot be reached a second time"));
      }
      return;
    }
    try (connection) {
      Seen.Http seen = connection.upgrade(path, headers(url));
      if (upgraded(url, "", seen)) {
        hello(url, connection);
      } else {
        examination.tell().accept(Finding.skipped("yamux", url.toString(), "needs the link"));
      }
    } catch (IOException | MalformedMessage e) {
      examination.tell().accept(noLink(url, String.valueOf(e.getMessage())));
    }
  }

  private static boolean isSameServer(URI api, URI links) {
    return api.getHost().equalsIgnoreCase(links.getHost())
        && Examination.portOf(api) == Examination.portOf(links)
        && isSecure(api) == isSecure(links);
  }

  private Set<Capability> capabilities() {
    return settings
        .protocol()
        .capabilities(EnumSet.of(Capability.DRAIN, Capability.NODES, Capability.CANARY));
  }

  private void hello(URI url, Connection connection) throws IOException, MalformedMessage {
    if (!(await(connection, GatewayHello.class::isInstance) instanceof GatewayHello hello)) {
      examination.tell().accept(noLink(url, "no gateway_hello"));
      return;
    }
    var ack =
        new GatewayHelloAck(
            hello.useYamux() && settings.protocol().allows(Carrier.YAMUX), capabilities());
    Carrier carrier = Carrier.agreed(hello, ack);
    if (carrier == null) {
      examination
          .tell()
          .accept(
              Finding.fault(
                  "link",
                  url.toString(),
                  Symptom.NO_COMMON_PROTOCOL,
                  "tunnels.protocol is "
                      + settings.protocol().label()
                      + ", the gateway uses "
                      + (hello.useYamux() ? Carrier.YAMUX : Carrier.JSON).label(),
                  "a protocol that both may use",
                  "set tunnels.protocol here and gateway.links.protocol there to auto"));
      return;
    }
    examination
        .tell()
        .accept(
            Finding.ok(
                "link",
                url.toString(),
                "the gateway greets"
                    + (hello.node().isEmpty() ? "" : " as node " + hello.node())
                    + "; streams go by "
                    + carrier.label()));
    if (carrier == Carrier.YAMUX) {
      yamux(url, connection, ack);
    } else {
      examination
          .tell()
          .accept(Finding.skipped("yamux", url.toString(), "streams go by " + carrier.label()));
      connection.sendClose();
    }
  }

  /// Says in one breath that it speaks yamux and wants no streams: they stay with who serves them.
  private void yamux(URI url, Connection connection, GatewayHelloAck ack) throws IOException {
    String drain = codec.encode(new ControlMessage.Drain());
    connection.send(drain);
    connection.send(codec.encode(ack));
    connection.send(drain);
    long start = System.nanoTime();
    var ping = ByteBuffer.allocate(12).putInt(YAMUX_PING_SYN).putInt(0).putInt(NUMBER);
    connection.send(ping.array());
    for (int i = 0; i < MAX_MESSAGES; i++) {
      switch (connection.receive()) {
        case null -> {
          examination.tell().accept(noLink(url, "no answer to a ping of yamux"));
          return;
        }
        case Message.Binary(var bytes) when isAnswer(bytes) -> {
          examination
              .tell()
              .accept(
                  Finding.ok(
                      "yamux",
                      url.toString(),
                      "a ping came back after " + (System.nanoTime() - start) / 1_000_000 + " ms"));
          connection.sendClose();
          return;
        }
        case Message.Close(int code, var reason) ->
            throw new IOException("closed with " + code + " " + reason);
        case Message _ -> {}
      }
    }
    examination.tell().accept(noLink(url, "no answer to a ping of yamux"));
  }

  private static boolean isAnswer(ByteBuffer bytes) {
    while (bytes.remaining() >= 12) {
      int head = bytes.getInt();
      int stream = bytes.getInt();
      int length = bytes.getInt();
      if (head == YAMUX_PING_ACK && stream == 0 && length == NUMBER) {
        return true;
      }
      if ((head >>> 16 & 0xff) == 0) {
        bytes.position(Math.min(bytes.limit(), bytes.position() + Math.max(0, length)));
      }
    }
    return false;
  }

  private static Finding noLink(URI url, String why) {
    return Finding.fault(
        "link",
        url.toString(),
        Symptom.LINK_FAILED,
        why,
        "a link that carries streams",
        "look at the gateway's log; a proxy in between must pass WebSocket messages both ways");
  }

  /// Whether what this file exposes is registered, and its ports can be reached from here.
  private void publicPorts(URI api, String cluster, boolean running) {
    Optional<Seen.Http> answer = plain(api, cluster);
    answer.ifPresent(seen -> clock(api, seen));
    Map<String, JsonNode> known = answer.map(AgentDoctor::byId).orElseGet(Map::of);
    int left = MAX_TUNNELS;
    for (ServiceSettings service : settings.exposed()) {
      if (left-- == 0) {
        examination
            .tell()
            .accept(
                Finding.skipped(
                    "public-port", api.toString(), "more than " + MAX_TUNNELS + " services"));
        return;
      }
      JsonNode tunnel = known.get(Exposure.of(service).id(cluster));
      if (tunnel != null) {
        publicPort(service, tunnel);
      } else {
        examination
            .tell()
            .accept(
                Finding.warning(
                    "public-port",
                    service.name(),
                    Symptom.NOT_REGISTERED,
                    "the gateway does not know the service",
                    "a tunnel that the agent has registered",
                    running
                        ? "the agent runs: its log and penstock tunnels --management"
                            + " http://127.0.0.1:9091 say why"
                        : "start the agent"));
      }
    }
  }

  private static Map<String, JsonNode> byId(Seen.Http seen) {
    var tunnels = new HashMap<String, JsonNode>();
    try {
      if (seen.status() == 200) {
        JSON.readTree(seen.body())
            .forEach(tunnel -> tunnels.put(tunnel.path("tunnel_id").asText(), tunnel));
      }
    } catch (JsonProcessingException _) {
      // Told as tunnels that are not known.
    }
    return tunnels;
  }

  private void publicPort(ServiceSettings service, JsonNode tunnel) {
    Optional<HostPort> endpoint = HostPort.parse(tunnel.path("tunnel_endpoint").asText());
    if (endpoint.isEmpty() || endpoint.get().port() == 0) {
      examination
          .tell()
          .accept(
              Finding.skipped(
                  "public-port", service.name(), "its clients do not come to the gateway"));
      return;
    }
    if (service.protocol() == Protocol.UDP) {
      examination
          .tell()
          .accept(
              Finding.skipped(
                  "public-port", service.name(), endpoint.get() + " is UDP: nothing to see"));
      return;
    }
    var dialled = examination.probe().dial(endpoint.get().host(), endpoint.get().port());
    if (dialled.connection() != null) {
      dialled.connection().close();
      examination
          .tell()
          .accept(Finding.ok("public-port", service.name(), endpoint.get() + " can be reached"));
      return;
    }
    examination
        .tell()
        .accept(
            Finding.fault(
                "public-port",
                service.name(),
                Symptom.PUBLIC_PORT_BLOCKED,
                endpoint.get() + ": " + dialled.seen().detail(),
                "a connection",
                "open the port in the firewalls in front of the gateway; gateway.public.host must"
                    + " lead to it, and gateway.public.bind must be reachable from outside"));
  }
}

package dev.penstock.gateway.doctor;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.cli.doctor.Connection;
import dev.penstock.cli.doctor.Examination;
import dev.penstock.cli.doctor.Finding;
import dev.penstock.cli.doctor.Judge;
import dev.penstock.cli.doctor.OwnNode;
import dev.penstock.cli.doctor.Seen;
import dev.penstock.cli.doctor.Symptom;
import dev.penstock.cli.doctor.Trust;
import dev.penstock.config.HostPort;
import dev.penstock.config.PemFiles;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.gateway.cluster.ClusterSettings;
import dev.penstock.gateway.cluster.Seeding;
import dev.penstock.gateway.leases.StoreProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Looks at everything that a gateway with these settings needs, and, where one runs, at what can
/// be reached of it.
public final class GatewayDoctor {
  private static final int MAX_PORTS = 20;

  private final GatewaySettings settings;
  private final Examination examination;
  private final OwnNode own;

  private GatewayDoctor(GatewaySettings settings, Examination examination) throws IOException {
    this.settings = settings;
    this.examination = examination;
    var tls = settings.management().tls();
    this.own =
        new OwnNode(
            examination,
            settings.management(),
            Trust.of(tls == null ? null : tls.cert(), null, null));
  }

  /// Examines, and tells findings as it goes.
  ///
  /// @throws IOException the TLS files cannot be used
  public static void examine(GatewaySettings settings, Examination examination) throws IOException {
    var doctor = new GatewayDoctor(settings, examination);
    tell(
        examination,
        Finding.ok("config", "gateway.listen " + settings.listen(), "every setting can be used"));
    doctor.dataDirectory();
    doctor.certificates();
    boolean running = doctor.own.status("gateway") != null;
    doctor.listener(running);
    doctor.publicSide(running);
    doctor.store();
    ClusterSettings cluster = settings.cluster();
    if (cluster != null) {
      doctor.peers(cluster, running);
    }
  }

  private static void tell(Examination examination, Finding finding) {
    examination.tell().accept(finding);
  }

  private void tell(Finding finding) {
    tell(examination, finding);
  }

  /// Where there is no directory yet, the first one above it that is there counts: the gateway will
  /// make the rest.
  private void dataDirectory() {
    Path directory = settings.dataDir().toAbsolutePath();
    Path there = directory;
    while (!Files.exists(there) && there.getParent() != null) {
      there = there.getParent();
    }
    String problem = "";
    long free = Long.MAX_VALUE;
    try {
      free = Files.getFileStore(there).getUsableSpace();
      Path trial = Files.createTempFile(there, "penstock-doctor", ".tmp");
      try {
        Files.write(trial, new byte[4096]);
      } finally {
        Files.delete(trial);
      }
    } catch (IOException e) {
      problem = Files.isDirectory(there) ? "cannot be written: " + e : there + " is no directory";
    }
    tell(Judge.directory(directory.toString(), problem, free));
  }

  private void certificates() throws IOException {
    GatewaySettings.Tls listener = settings.tls();
    if (listener != null) {
      certificate("gateway.tls.cert", listener.cert());
      nameOfLinks(listener);
    }
    var management = settings.management().tls();
    if (management != null) {
      certificate("management.tls.cert", management.cert());
    }
    ClusterSettings cluster = settings.cluster();
    if (cluster != null && cluster.tls() != null) {
      certificate("cluster.tls.cert", cluster.tls().cert());
    }
  }

  private void certificate(String key, Path file) throws IOException {
    List<X509Certificate> chain = PemFiles.certificates(file);
    String subject = key + " " + file;
    tell(
        Judge.dates("certificate", subject, chain, examination.clock().instant())
            .orElseGet(() ->
                Finding.ok(
                    "certificate",
                    subject,
                    "good until " + chain.getFirst().getNotAfter().toInstant())));
  }

  /// Agents go to `gateway.links_url`, and check the certificate against its host.
  private void nameOfLinks(GatewaySettings.Tls tls) throws IOException {
    var links = settings.linksUrl();
    if (links == null || !"wss".equals(links.getScheme())) {
      return;
    }
    X509Certificate own = PemFiles.certificates(tls.cert()).getFirst();
    tell(
        Judge.isFor(own, links.getHost())
            ? Finding.ok("links-url", links.toString(), "the certificate is for this host")
            : Finding.warning(
                "links-url",
                links.toString(),
                Symptom.WRONG_HOST_NAME,
                "the certificate of gateway.tls is not for " + links.getHost(),
                "one for that name, unless TLS ends at a proxy in front",
                "have a certificate made for it, or correct gateway.links_url"));
  }

  private void listener(boolean running) throws IOException {
    HostPort listen = settings.listen();
    if (listen.port() == 0) {
      tell(Finding.skipped("listen", listen.toString(), "the system chooses the port"));
      return;
    }
    if (!running) {
      tell(Examination.bindable("listen", listen));
      return;
    }
    String host = Examination.reachable(listen);
    var dialled = examination.probe().dial(host, listen.port());
    Connection plain = dialled.connection();
    var tls = settings.tls();
    Connection connection =
        plain != null && tls != null
            ? examination.probe().tls(plain, host, Trust.of(tls.cert(), null, null)).connection()
            : plain;
    if (connection == null) {
      tell(Judge.dial("listen", listen.toString(), dialled.seen()));
      return;
    }
    try (connection) {
      Seen.Http answer =
          connection.upgrade(
              "/api/v1/clusters/agent/ws",
              Map.of("Host", new HostPort(host, listen.port()).toString()));
      boolean clientCertificate = settings.tls() != null && settings.tls().clientCa() != null;
      tell(
          answer.isPenstock() || clientCertificate
              ? Finding.ok("listen", listen.toString(), "this gateway answers there")
              : Examination.taken("listen", listen));
    }
  }

  private void publicSide(boolean running) {
    var side = settings.publicSide();
    Finding bind = Examination.bindable("public-bind", new HostPort(side.bind(), 0));
    if (!examination.isGood(
        bind.isFault()
            ? bind
            : Finding.ok("public-bind", side.bind(), "an address of this machine"))) {
      return;
    }
    examination.isGood(
        Judge.names("public-host", side.host(), examination.probe().names(side.host())));
    JsonNode tunnels =
        running ? own.ask("/api/v1/tunnels?sort=public_port&limit=" + MAX_PORTS) : null;
    if (tunnels == null) {
      tell(
          running
              ? Finding.skipped("public-port", side.ports().toString(), "the gateway does not say")
              : firstPort());
      return;
    }
    tunnels.path("items").forEach(this::publicPort);
    long total = tunnels.path("total").asLong();
    if (total > MAX_PORTS) {
      tell(
          Finding.skipped(
              "public-port", side.ports().toString(), total - MAX_PORTS + " tunnels more"));
    }
  }

  /// Whether such ports may be used at all. One that somebody has is none that the gateway gives.
  private Finding firstPort() {
    var side = settings.publicSide();
    HostPort first = new HostPort(side.bind(), side.ports().first());
    Finding free = Examination.bindable("public-port", first);
    return free.symptom() == Symptom.PORT_TAKEN
        ? Finding.ok(
            "public-port", first.toString(), "another program has it; a tunnel is given another")
        : free;
  }

  private void publicPort(JsonNode tunnel) {
    int port = tunnel.path("public_port").asInt();
    if (port == 0) {
      return;
    }
    String name = tunnel.path("name").asText();
    var side = settings.publicSide();
    if (!tunnel.path("state").asText().equals("listening")) {
      tell(
          Finding.fault(
              "public-port",
              name,
              Symptom.PUBLIC_PORT_BLOCKED,
              "the gateway does not listen on port " + port,
              "a port that it holds",
              "another program has it: ss -ltnup tells which; end that, or take the port out of"
                  + " gateway.public.ports"));
      return;
    }
    if (!tunnel.path("protocol").asText().equals("tcp")) {
      tell(Finding.ok("public-port", name, "the gateway holds UDP port " + port));
      return;
    }
    var dialled = examination.probe().dial(side.host(), port);
    if (dialled.connection() != null) {
      dialled.connection().close();
      tell(Finding.ok("public-port", name, side.host() + ":" + port + " can be reached from here"));
    } else {
      tell(
          Finding.fault(
              "public-port",
              name,
              Symptom.PUBLIC_PORT_BLOCKED,
              side.host() + ":" + port + ": " + dialled.seen().detail(),
              "a connection",
              "gateway.public.host must lead to gateway.public.bind, and firewalls let the port"
                  + " through"));
    }
  }

  private void store() {
    String url = settings.store().url();
    if (url == null || settings.cluster() == null) {
      return;
    }
    StoreProbe.Answer answer = StoreProbe.ask(settings.store(), examination.probe().patience());
    if (answer.time().isEmpty()) {
      tell(
          Finding.fault(
              "store",
              url,
              Symptom.DATABASE_AWAY,
              answer.problem(),
              "a database that answers",
              "start it, open its port to this machine, and correct store.url, user and password"));
      return;
    }
    tell(Finding.ok("store", url, "answers"));
    tell(Judge.clock("the database", answer.time().get(), examination.clock().instant()));
  }

  private void peers(ClusterSettings cluster, boolean running) {
    Optional<JsonNode> nodes =
        running ? Optional.ofNullable(own.ask("/api/v1/nodes?limit=64")) : Optional.empty();
    if (nodes.isPresent()) {
      nodes.get().path("items").forEach(this::peer);
    } else if (cluster.seeding() instanceof Seeding.Named(var seeds)) {
      for (HostPort seed : seeds) {
        if (!seed.equals(cluster.listen())) {
          seed(seed);
        }
      }
    } else {
      tell(Finding.skipped("peer", cluster.seeding().describe(), "needs the gateway to run"));
    }
  }

  private void seed(HostPort seed) {
    var dialled = examination.probe().dial(seed.host(), seed.port());
    if (dialled.connection() != null) {
      dialled.connection().close();
      tell(Finding.ok("peer", seed.toString(), "takes connections"));
    } else {
      tell(away(seed.toString(), dialled.seen().detail()));
    }
  }

  private void peer(JsonNode node) {
    String id = node.path("id").asText();
    if (node.path("self").asBoolean()) {
      return;
    }
    if (node.path("state").asText().equals("unreachable")) {
      tell(away(id, "the cluster does not hear from it"));
      return;
    }
    String relay = nullable(node.path("relay_address"));
    Optional<HostPort> address = relay == null ? Optional.empty() : HostPort.parse(relay);
    if (address.isEmpty()) {
      tell(Finding.ok("peer", id, node.path("state").asText()));
      return;
    }
    var dialled = examination.probe().dial(address.get().host(), address.get().port());
    if (dialled.connection() != null) {
      dialled.connection().close();
      tell(Finding.ok("peer", id, node.path("state").asText() + "; its relay takes connections"));
    } else {
      tell(away(id, "its relay at " + relay + ": " + dialled.seen().detail()));
    }
  }

  private static @Nullable String nullable(JsonNode text) {
    return text.isTextual() ? text.asText() : null;
  }

  private static Finding away(String node, String why) {
    return Finding.fault(
        "peer",
        node,
        Symptom.PEER_AWAY,
        why,
        "a node that can be reached",
        "start it, and open cluster.listen and cluster.relay between the nodes");
  }
}

package dev.penstock.testkit.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.cli.Cli;
import dev.penstock.cli.doctor.Symptom;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.testkit.EchoService;
import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.Ports;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// One thing is broken at a time, and the doctor names it and nothing else.
@Timeout(120)
class DoctorTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path directory;

  private static EchoService echo;
  private static Gateway gateway;
  private static Agent agent;
  private static Path gatewayFile;
  private static int agentManagement;
  private static int publicPort;
  private static X509Bundle authority;
  private static Path authorityFile;
  private static int written;

  @BeforeAll
  static void start() throws Exception {
    echo = EchoService.start(Behaviour.echo());
    agentManagement = Ports.free();
    publicPort = Ports.free();
    gatewayFile = file(gatewayYaml(Ports.free(), Ports.free(), "127.0.0.1"));
    gateway = Gateway.start(GatewaySettings.load(gatewayFile));
    agent = startAgent(agentYaml("http://127.0.0.1:" + listen(), "s3cret", agentManagement));
    authority = authority("CN=ours");
    authorityFile = file(authority.getCertificatePEM());
  }

  private static Agent startAgent(String yaml) throws Exception {
    var reachable = new CountDownLatch(1);
    Agent started =
        Agent.start(
            AgentSettings.load(file(yaml), Map.of()),
            new Agent.Announcements(_ -> reachable.countDown(), _ -> {}));
    assertThat(reachable.await(60, TimeUnit.SECONDS)).isTrue();
    return started;
  }

  @AfterAll
  static void stop() throws Exception {
    agent.close();
    gateway.close();
    echo.close();
  }

  private static int listen() {
    return gateway.address().getPort();
  }

  private static Path file(String content) throws IOException {
    return Files.writeString(directory.resolve("file" + written++), content);
  }

  private static String gatewayYaml(int listen, int management, String bind) {
    return """
    gateway:
      listen: 127.0.0.1:%d
      data_dir: data%d
      public: {bind: %s}
      auth:
        tokens:
          - {token: s3cret, cluster: one}
    management:
      listen: 127.0.0.1:%d
      tokens:
        - {name: ann, token: reads}
    """
        .formatted(listen, written, bind, management);
  }

  private static String agentYaml(String url, String token, int management) {
    return """
    pipeops:
      api_url: %s
      token: %s
      tls: {ca_file: %s}
    agent: {id: ours}
    management: {listen: 127.0.0.1:%d}
    tunnels:
      services:
        - {name: echo, port: 5432, public_port: %d, target: %s}
    """
        .formatted(
            url,
            token,
            authorityFile == null ? "~" : authorityFile.toString(),
            management,
            publicPort,
            echo.address())
        .replace("  tls: {ca_file: ~}\n", "");
  }

  private static X509Bundle authority(String name) throws Exception {
    return new CertificateBuilder()
        .subject(name)
        .setIsCertificateAuthority(true)
        .ecp256()
        .buildSelfSigned();
  }

  private static CertificateBuilder certificate(String name) {
    return new CertificateBuilder()
        .subject("CN=" + name)
        .ecp256()
        .notBefore(Instant.now().minus(Duration.ofDays(30)))
        .notAfter(Instant.now().plus(Duration.ofDays(60)));
  }

  /// What the doctor says of a file, in JSON.
  private static JsonNode examine(Path file) throws IOException {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Cli.commandLine(DoctorMain.command(Map.of()))
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute("doctor", "--config", file.toString(), "--timeout", "2", "--output", "json");
    assertThat(err.toString()).isEmpty();
    JsonNode report = JSON.readTree(out.toString());
    assertThat(code).isEqualTo(report.path("faults").asInt() == 0 ? 0 : 1);
    return report;
  }

  /// The symptoms of everything at fault.
  private static List<String> faults(Path file) throws IOException {
    var faults = new ArrayList<String>();
    JsonNode report = examine(file);
    for (JsonNode finding : report.path("findings")) {
      if (finding.path("verdict").asText().equals("fault")) {
        faults.add(finding.path("symptom").asText());
        assertThat(finding.path("found").asText()).isNotEmpty();
        assertThat(finding.path("expected").asText()).isNotEmpty();
        assertThat(finding.path("advice").asText()).isNotEmpty();
      }
    }
    assertThat(report.toString()).doesNotContain("s3cret");
    return faults;
  }

  private static List<String> faultsOfAgent(String url) throws IOException {
    return faults(file(agentYaml(url, "s3cret", agentManagement)));
  }

  private static List<String> oks(JsonNode report) {
    var oks = new ArrayList<String>();
    for (JsonNode finding : report.path("findings")) {
      if (finding.path("verdict").asText().equals("ok")) {
        oks.add(finding.path("check").asText());
      }
    }
    return oks;
  }

  @Test
  void nothingIsWrongWithAnAgentThatWorks() throws IOException {
    JsonNode report =
        examine(file(agentYaml("http://127.0.0.1:" + listen(), "s3cret", agentManagement)));
    assertThat(report.path("faults").asInt()).as(report.toPrettyString()).isZero();
    assertThat(oks(report))
        .contains(
            "config",
            "management",
            "service",
            "dns",
            "tcp",
            "upgrade",
            "token",
            "registration",
            "link",
            "yamux",
            "clock",
            "public-port");
  }

  @Test
  void nothingIsWrongWithAGatewayThatWorks() throws IOException {
    JsonNode report = examine(gatewayFile);
    assertThat(report.path("faults").asInt()).as(report.toPrettyString()).isZero();
    assertThat(oks(report))
        .contains("config", "data-dir", "management", "listen", "public-host", "public-port");
  }

  @Test
  void aWrongToken() throws IOException {
    String yaml = agentYaml("http://127.0.0.1:" + listen(), "guessed", agentManagement);
    assertThat(faults(file(yaml))).containsExactly("wrong-token");
  }

  @Test
  void aNameThatDoesNotExist() throws IOException {
    assertThat(faultsOfAgent("http://no-such-host.invalid:8080")).containsExactly("name-not-found");
  }

  @Test
  void aPortWhereNobodyListens() throws IOException {
    assertThat(faultsOfAgent("http://127.0.0.1:" + Ports.free())).containsExactly("nobody-listens");
  }

  @Test
  void aPortThatDropsEverything() throws IOException {
    var waiting = new ArrayList<SocketChannel>();
    // A queue that is full, which makes the kernel drop what else comes, as a firewall would.
    try (var full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      for (int i = 0; i < 4; i++) {
        SocketChannel one = SocketChannel.open();
        one.configureBlocking(false);
        one.connect(full.getLocalSocketAddress());
        waiting.add(one);
      }
      assertThat(faultsOfAgent("http://127.0.0.1:" + full.getLocalPort()))
          .containsExactly("port-blocked");
    } finally {
      for (SocketChannel one : waiting) {
        one.close();
      }
    }
  }

  @Test
  void aPortThatTakesConnectionsAndNeverAnswers() throws IOException {
    try (var silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      assertThat(faultsOfAgent("http://127.0.0.1:" + silent.getLocalPort()))
          .containsExactly("no-answer");
      assertThat(faultsOfAgent("https://127.0.0.1:" + silent.getLocalPort()))
          .containsExactly("no-answer");
    }
  }

  @Test
  void anotherHttpServer() throws IOException {
    HttpServer other =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    other.start();
    try {
      assertThat(faultsOfAgent("http://127.0.0.1:" + other.getAddress().getPort()))
          .containsExactly("another-server");
    } finally {
      other.stop(0);
    }
  }

  @Test
  void thePortOfTheManagement() throws IOException {
    String port = GatewaySettings.load(gatewayFile).management().listen().toString();
    assertThat(faultsOfAgent("http://" + port)).containsExactly("another-server");
  }

  private static List<String> faultsThrough(
      UnaryOperator<String> requests, UnaryOperator<String> answers) throws IOException {
    try (var meddler = Meddler.start(listen(), requests, answers)) {
      return faultsOfAgent(meddler.url());
    }
  }

  @Test
  void aProxyThatChangesNothingIsNoFault() throws IOException {
    assertThat(faultsThrough(request -> request, answer -> answer)).isEmpty();
  }

  @Test
  void aProxyThatTakesTheUpgradeAway() throws IOException {
    assertThat(
            faultsThrough(
                request ->
                    request
                        .replaceAll("(?i)\r\nUpgrade: [^\r]*", "")
                        .replaceAll("(?i)\r\nConnection: [^\r]*", ""),
                answer -> answer))
        .containsExactly("upgrade-broken");
  }

  @Test
  void aProxyThatAnswersTheUpgradeItself() throws IOException {
    assertThat(
            faultsThrough(
                request ->
                    request.contains("Upgrade")
                        ? "HTTP/1.1 200 OK\r\nVia: 1.1 squid\r\nContent-Length: 0\r\n\r\n"
                        : request,
                answer -> answer))
        .containsExactly("upgrade-broken");
  }

  @Test
  void aProxyThatTakesTheUpgradeOutOfTheAnswer() throws IOException {
    assertThat(
            faultsThrough(
                request -> request, answer -> answer.replaceAll("(?i)\r\nUpgrade: [^\r]*", "")))
        .containsExactly("upgrade-broken");
  }

  @Test
  void aClockThatIsAnHourOff() throws IOException {
    String date =
        DateTimeFormatter.RFC_1123_DATE_TIME.format(
            Instant.now().minus(Duration.ofHours(1)).atOffset(ZoneOffset.UTC));
    assertThat(
            faultsThrough(
                request -> request,
                answer ->
                    answer
                        .replaceAll("(?i)\r\nDate: [^\r]*", "")
                        .replaceFirst("\r\n", "\r\nDate: " + date + "\r\n")))
        .containsExactly("clock-off");
  }

  @Test
  void aGatewayWithoutTlsAtAnHttpsUrl() throws IOException {
    assertThat(faultsOfAgent("https://127.0.0.1:" + listen())).containsExactly("plain-http");
  }

  /// Ends every handshake with this certificate.
  private static SSLServerSocket tls(X509Bundle certificate) throws Exception {
    var context = SSLContext.getInstance("TLS");
    context.init(certificate.toKeyManagerFactory().getKeyManagers(), null, null);
    var server =
        (SSLServerSocket)
            context
                .getServerSocketFactory()
                .createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual()
        .start(() -> {
          while (!server.isClosed()) {
            try (var client = (SSLSocket) server.accept()) {
              client.startHandshake();
            } catch (IOException _) {
              // A client that does not like it, or the end of the test.
            }
          }
        });
    return server;
  }

  private static List<String> faultsOfCertificate(X509Bundle certificate) throws Exception {
    try (SSLServerSocket server = tls(certificate)) {
      return faultsOfAgent("https://127.0.0.1:" + server.getLocalPort());
    }
  }

  @Test
  void aCertificateThatHasExpired() throws Exception {
    var expired =
        certificate("gateway")
            .addSanIpAddress("127.0.0.1")
            .notAfter(Instant.now().minus(Duration.ofDays(1)))
            .buildIssuedBy(authority);
    assertThat(faultsOfCertificate(expired)).containsExactly("certificate-expired");
  }

  @Test
  void aCertificateOfAnAuthorityThatIsNotTrusted() throws Exception {
    var foreign =
        certificate("gateway").addSanIpAddress("127.0.0.1").buildIssuedBy(authority("CN=theirs"));
    assertThat(faultsOfCertificate(foreign)).containsExactly("untrusted-authority");
  }

  @Test
  void aCertificateForAnotherHost() throws Exception {
    var other = certificate("other").addSanDnsName("gateway.example.com").buildIssuedBy(authority);
    assertThat(faultsOfCertificate(other)).containsExactly("wrong-host-name");
  }

  @Test
  void aServerWithTlsAtAnHttpUrl() throws Exception {
    var good = certificate("gateway").addSanIpAddress("127.0.0.1").buildIssuedBy(authority);
    try (SSLServerSocket server = tls(good)) {
      assertThat(faultsOfAgent("http://127.0.0.1:" + server.getLocalPort()))
          .containsExactly("speaks-tls");
    }
  }

  @Test
  void aServiceThatIsAway() throws IOException {
    String yaml = agentYaml("http://127.0.0.1:" + listen(), "s3cret", agentManagement);
    assertThat(faults(file(yaml.replace(echo.address(), "127.0.0.1:" + Ports.free()))))
        .containsExactly("service-away");
  }

  @Test
  void publicPortsThatCannotBeReached() throws Exception {
    Path crooked = file(gatewayYaml(Ports.free(), Ports.free(), "127.0.0.2"));
    try (var other = Gateway.start(GatewaySettings.load(crooked))) {
      String url = "http://127.0.0.1:" + other.address().getPort();
      // A port that the other gateway does not have at the address that this one wrongly tells.
      String yaml =
          agentYaml(url, "s3cret", Ports.free())
              .replace("public_port: " + publicPort, "public_port: " + Ports.free());
      try (var _ = startAgent(yaml)) {
        assertThat(faults(file(yaml))).containsExactly("public-port-blocked");
        assertThat(faults(crooked)).containsExactly("public-port-blocked");
      }
    }
  }

  @Test
  void settingsThatCannotBeUsed() throws IOException {
    assertThat(faults(file("pipeops: {api_url: 7, token: x}\nagent: {links: {count: 99}}\n")))
        .containsExactly("configuration", "configuration");
  }

  private static String resting() {
    return gatewayYaml(Ports.free(), Ports.free(), "127.0.0.1");
  }

  @Test
  void aGatewayThatDoesNotRunIsNoFault() throws IOException {
    assertThat(faults(file(resting()))).isEmpty();
  }

  @Test
  void aDirectoryThatCannotBeWritten() throws IOException {
    Path plain = file("no directory");
    assertThat(faults(file(resting().replaceAll("data_dir: .*", "data_dir: " + plain + "/data"))))
        .containsExactly("directory-not-writable");
  }

  @Test
  void aPortThatAnotherProgramHas() throws IOException {
    try (var other = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      String yaml = gatewayYaml(other.getLocalPort(), Ports.free(), "127.0.0.1");
      assertThat(faults(file(yaml))).containsExactly("port-taken");
    }
  }

  @Test
  void anAddressOfAnotherMachine() throws IOException {
    assertThat(faults(file(gatewayYaml(Ports.free(), Ports.free(), "192.0.2.1"))))
        .containsExactly("address-not-here");
  }

  @Test
  void aCertificateOfTheGatewayItselfThatHasExpired() throws Exception {
    var expired =
        certificate("gateway")
            .addSanIpAddress("127.0.0.1")
            .notAfter(Instant.now().minus(Duration.ofDays(1)))
            .buildIssuedBy(authority);
    Path cert = file(expired.getCertificatePathPEM());
    Path key = file(expired.getPrivateKeyPEM());
    String yaml =
        resting()
            .replace("  auth:\n", "  tls: {cert: %s, key: %s}\n  auth:\n".formatted(cert, key));
    assertThat(faults(file(yaml))).containsExactly("certificate-expired");
  }

  private static String ofCluster(String seeds, String store) {
    int listen = Ports.free();
    return resting()
        + """
        cluster:
          enabled: true
          listen: 127.0.0.1:%d
          relay: 127.0.0.1:%d
          seeds: [127.0.0.1:%d%s]
          secret: sixteen-characters
        store: {url: "%s"}
        """
            .formatted(listen, Ports.free(), listen, seeds, store);
  }

  @Test
  void aDatabaseThatIsAway() throws IOException {
    String away = "jdbc:postgresql://127.0.0.1:" + Ports.free() + "/penstock";
    assertThat(faults(file(ofCluster("", away)))).containsExactly("database-away");
  }

  @Test
  void aPeerThatIsAway() throws IOException {
    assertThat(faults(file(ofCluster(", 127.0.0.1:" + Ports.free(), "jdbc:h2:mem:doctor"))))
        .containsExactly("peer-away");
  }

  @Test
  void everySymptomHasASectionInTheTroubleshooting() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "troubleshooting.md"));
    for (var symptom : Symptom.values()) {
      assertThat(page).contains("\n### " + symptom.label() + "\n");
    }
  }
}

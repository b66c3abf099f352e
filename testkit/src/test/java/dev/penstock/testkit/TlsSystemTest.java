package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.testkit.EchoService.Behaviour;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A gateway and an agent that speak TLS, with the files that their settings name.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TlsSystemTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir static Path files;
  private static X509Bundle authority;

  @TempDir Path directory;
  private final BlockingQueue<String> reachable = new LinkedBlockingQueue<>();
  private final EchoService echo = EchoService.start(Behaviour.echo());
  private final int publicPort = Ports.free();
  private Gateway gateway;
  private Agent agent;

  @BeforeAll
  static void issueCertificates() throws Exception {
    authority = authority("CN=ours");
    write("server", issuedBy(authority));
    write("agent", issuedBy(authority));
    write("stranger", issuedBy(authority("CN=theirs")));
    Files.writeString(files.resolve("authority.pem"), authority.getCertificatePEM());
  }

  @AfterEach
  void end() throws IOException {
    if (agent != null) {
      agent.close();
    }
    gateway.close();
    echo.close();
  }

  private static X509Bundle authority(String name) throws Exception {
    return new CertificateBuilder()
        .subject(name)
        .setIsCertificateAuthority(true)
        .ecp256()
        .buildSelfSigned();
  }

  private static X509Bundle issuedBy(X509Bundle by) throws Exception {
    return new CertificateBuilder()
        .subject("CN=localhost")
        .addSanDnsName("localhost")
        .ecp256()
        .buildIssuedBy(by);
  }

  private static void write(String name, X509Bundle bundle) throws IOException {
    Files.writeString(files.resolve(name + ".crt"), bundle.getCertificatePathPEM());
    Files.writeString(files.resolve(name + ".key"), bundle.getPrivateKeyPEM());
  }

  /// @param more below `gateway.tls`, beside the server's certificate
  private void startGateway(String more) throws IOException {
    gateway =
        Gateway.start(
            GatewaySettings.load(
                Files.writeString(
                    directory.resolve("gateway.yaml"),
                    """
                    gateway:
                      listen: 127.0.0.1:0
                      tls: {cert: "%1$s/server.crt", key: "%1$s/server.key"%2$s}
                      auth: {tokens: [{token: s3cret, cluster: lab}]}
                    management: {listen: "127.0.0.1:0"}
                    """
                        .formatted(files, more))));
  }

  /// @param tls below `pipeops.tls`
  private void startAgent(String tls) throws IOException {
    agent =
        Agent.start(
            AgentSettings.load(
                Files.writeString(
                    directory.resolve("agent.yaml"),
                    """
                    pipeops:
                      api_url: https://localhost:%d
                      token: s3cret
                      tls: {%s}
                    agent: {event_loops: 1, links: {count: 1}}
                    tunnels: {services: [{name: echo, port: 5432, target: "%s", public_port: %d}]}
                    management: {listen: "127.0.0.1:0"}
                    """
                        .formatted(
                            gateway.address().getPort(),
                            tls.replace("FILES", files.toString()),
                            echo.address(),
                            publicPort)),
                Map.of()),
            new Agent.Announcements(reachable::add, _ -> {}));
  }

  private void assertServes() throws Exception {
    assertThat(reachable.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS)).startsWith("echo  tcp");
    await().atMost(PATIENCE).until(this::echoes);
  }

  private boolean echoes() {
    try (var client = new Socket(InetAddress.getLoopbackAddress(), publicPort)) {
      client.setSoTimeout((int) PATIENCE.toMillis());
      client.getOutputStream().write('?');
      return client.getInputStream().read() == '?';
    } catch (IOException e) {
      // Told a moment before the gateway knows of the link.
      return false;
    }
  }

  /// The agent has tried and was turned away, or turned away itself.
  private void assertRefused() {
    await()
        .during(Duration.ofSeconds(1))
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(reachable).isEmpty());
  }

  @Test
  void anAgentThatTrustsTheAuthorityIsServedOverTls() throws Exception {
    startGateway("");
    startAgent("ca_file: FILES/authority.pem");
    assertServes();
  }

  @Test
  void anAgentThatDoesNotKnowTheAuthorityDoesNotSpeakUnlessItIsToldNotToLook() throws Exception {
    startGateway("");
    startAgent("");
    assertRefused();
    agent.close();
    startAgent("insecure_skip_verify: true");
    assertServes();
  }

  @Test
  void whereCertificatesOfAgentsAreDemandedOnlyThoseOfTheAuthorityAreTaken() throws Exception {
    startGateway(", client_ca: \"" + files + "/authority.pem\"");
    startAgent(
        "ca_file: FILES/authority.pem, cert_file: FILES/stranger.crt, key_file: FILES/stranger.key");
    assertRefused();
    agent.close();
    startAgent(
        "ca_file: FILES/authority.pem, cert_file: FILES/agent.crt, key_file: FILES/agent.key");
    assertServes();
  }
}

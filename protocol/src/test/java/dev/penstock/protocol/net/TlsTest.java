package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.net.EventLoops.Transport;
import dev.penstock.protocol.net.Tls.Pem;
import dev.penstock.protocol.net.Tls.Side;
import dev.penstock.protocol.net.Tls.Trust;
import dev.penstock.protocol.net.WebSocketMessage.Binary;
import dev.penstock.protocol.net.WebSocketMessage.Text;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Flow;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TlsTest {
  private static TestNode node;
  private static X509Bundle authority;
  private static X509Bundle stranger;

  @TempDir Path files;
  private int written;

  @BeforeAll
  static void start() throws Exception {
    node = TestNode.start(Transport.NIO);
    authority = newAuthority("CN=ours");
    stranger = newAuthority("CN=theirs");
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  private static X509Bundle newAuthority(String name) throws Exception {
    return new CertificateBuilder()
        .subject(name)
        .setIsCertificateAuthority(true)
        .ecp256()
        .buildSelfSigned();
  }

  private static X509Bundle issued(X509Bundle by, String host) throws Exception {
    return new CertificateBuilder()
        .subject("CN=" + host)
        .addSanDnsName(host)
        .ecp256()
        .buildIssuedBy(by);
  }

  private Path write(String name, String text) throws IOException {
    Path file = Files.writeString(files.resolve(name), text);
    // Two writes within one tick of the file system's clock would look the same.
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(written++)));
    return file;
  }

  private Pem pem(String name, @Nullable X509Bundle own, @Nullable X509Bundle trusted)
      throws IOException {
    return new Pem(
        own == null ? null : write(name + ".crt", own.getCertificatePathPEM()),
        own == null ? null : write(name + ".key", own.getPrivateKeyPEM()),
        trusted == null ? null : write(name + ".ca", trusted.getRootCertificatePEM()),
        Trust.VERIFIED);
  }

  private HttpServer server(@Nullable X509Bundle clients) throws Exception {
    return new HttpServer(
        node,
        Tls.load(Side.SERVER, pem("server", issued(authority, "localhost"), clients)),
        WebSocketSettings.defaults());
  }

  private Tls client(X509Bundle trusted) throws IOException {
    return Tls.load(Side.CLIENT, pem("client", null, trusted));
  }

  private static WebSocketConnection connect(HttpServer server, Tls tls) {
    return await(
        WebSocketClient.connect(
            node.loops(),
            node.loop(),
            server.uri("/link"),
            Map.of(),
            tls,
            WebSocketSettings.defaults()));
  }

  private static void assertTalks(WebSocketConnection ours, WebSocketConnection theirs) {
    theirs
        .flow()
        .join(Flow.<WebSocketMessage>create())
        .withAttributes(theirs.loop().attributes())
        .run(node.actors());
    var client = Hands.on(ours.flow(), ours.loop(), node.actors());
    client.put(new Text("hello"));
    assertThat(client.take()).isEqualTo(new Text("hello"));
    for (int i = 0; i < 50; i++) {
      client.put(new Binary(new ByteBuffer[] {ByteBuffer.allocate(100_000)}));
      for (int left = 100_000; left > 0; ) {
        left -= ((Binary) client.take()).parts()[0].remaining();
      }
    }
    client.finish();
    assertThat(client.take()).isNull();
  }

  @Test
  void aLinkIsCarriedOverTls() throws Exception {
    try (var server = server(null)) {
      var ours = connect(server, client(authority));
      assertTalks(ours, server.accepted());
      assertThat(server.requests.take().secure()).isTrue();
    }
  }

  @Test
  void restIsServedOverTls() throws Exception {
    try (var server = server(null)) {
      var answer =
          HttpCall.postJson(
              node.loops(),
              node.loop(),
              URI.create("https://localhost:" + server.address().getPort() + "/v1/x"),
              Map.of(),
              "{}",
              client(authority),
              PATIENCE);
      assertThat(await(answer)).isEqualTo(new HttpCall.Answer(200, "POST /v1/x {}"));
    }
  }

  @Test
  void aServerOfAnUnknownAuthorityIsNotTrustedUnlessAnythingIs() throws Exception {
    try (var server = server(null)) {
      assertThatThrownBy(() -> connect(server, client(stranger)))
          .isInstanceOf(ConnectionLost.class);
      assertThat(server.refusals.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS))
          .isEqualTo("broken_handshake");
      var credulous = Tls.load(Side.CLIENT, new Pem(null, null, null, Trust.ANYTHING));
      connect(server, credulous).reset();
    }
  }

  @Test
  void aServerOfAnotherNameIsNotTrusted() throws Exception {
    var elsewhere =
        Tls.load(Side.SERVER, pem("server", issued(authority, "elsewhere.example"), null));
    try (var server = new HttpServer(node, elsewhere, WebSocketSettings.defaults())) {
      assertThatThrownBy(() -> connect(server, client(authority)))
          .isInstanceOf(ConnectionLost.class);
    }
  }

  @Test
  void aServerThatAsksForCertificatesTakesOnlyThoseOfItsAuthority() throws Exception {
    try (var server = server(authority)) {
      var known = pem("known", issued(authority, "agent"), authority);
      assertTalks(connect(server, Tls.load(Side.CLIENT, known)), server.accepted());
      var unknown = pem("unknown", issued(stranger, "agent"), authority);
      assertThatThrownBy(() -> connect(server, Tls.load(Side.CLIENT, unknown)))
          .isInstanceOf(ConnectionLost.class);
      assertThatThrownBy(() -> connect(server, client(authority)))
          .isInstanceOf(ConnectionLost.class);
      assertThat(server.requests).hasSize(1);
    }
  }

  @Test
  void aReplacedCertificateIsUsedWithoutARestartAndABrokenOneIsNot() throws Exception {
    try (var server = server(null)) {
      connect(server, client(authority)).reset();
      Tls trustsNew = client(stranger);
      pem("server", issued(stranger, "localhost"), null);
      Awaitility.await()
          .atMost(PATIENCE)
          .ignoreExceptions()
          .untilAsserted(() -> connect(server, trustsNew).reset());
      write("server.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
      // Longer than the second within which the files are not looked at again.
      Awaitility.await()
          .atMost(PATIENCE)
          .during(Duration.ofMillis(1500))
          .untilAsserted(() -> connect(server, trustsNew).reset());
      Files.delete(files.resolve("server.key"));
      Awaitility.await()
          .atMost(PATIENCE)
          .during(Duration.ofMillis(1500))
          .untilAsserted(() -> connect(server, trustsNew).reset());
    }
  }

  @Test
  void filesThatCannotBeUsedAreNamed() throws Exception {
    Path key = write("a.key", "no key");
    Path certificate = write("a.crt", authority.getCertificatePEM());
    assertThatThrownBy(() -> Tls.load(Side.SERVER, new Pem(certificate, key, null, Trust.VERIFIED)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("a.key")
        .hasMessageContaining("PKCS#8");
    Path missing = files.resolve("missing.crt");
    assertThatThrownBy(() -> Tls.load(Side.SERVER, new Pem(missing, key, null, Trust.VERIFIED)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("missing.crt");
  }
}

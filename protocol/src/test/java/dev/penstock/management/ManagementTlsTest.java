package dev.penstock.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.penstock.config.HostPort;
import dev.penstock.management.access.Guard;
import dev.penstock.management.access.ManagementSettings;
import dev.penstock.management.access.Role;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.protocol.net.Tls;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManagementTlsTest {
  private static ActorTestKit kit;

  @TempDir Path directory;

  @BeforeAll
  static void startSystem() {
    kit = ActorTestKit.create("management-tls", ConfigFactory.load());
  }

  @AfterAll
  static void stopSystem() {
    kit.shutdownTestKit();
  }

  private static CertificateBuilder builder(String name) {
    return new CertificateBuilder().subject("CN=" + name + ",O=test").ecp256();
  }

  private ManagementServer start(X509Bundle server, Path authority, Role role) throws Exception {
    var tls =
        new ManagementSettings.Tls(
            server.toTempCertChainPem().toPath(),
            server.toTempPrivateKeyPem().toPath(),
            authority,
            role);
    var settings = new ManagementSettings(new HostPort("127.0.0.1", 0), null, List.of(), tls);
    return ManagementServer.start(
            kit.system(),
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            new PrometheusRegistry(),
            List::of,
            new ManagementServer.Entrance(
                new Guard(settings),
                Tls.load(
                    Tls.Side.SERVER,
                    new Tls.Pem(tls.cert(), tls.key(), tls.clientCa(), Tls.Trust.VERIFIED)),
                new ApiMeters(new PrometheusRegistry())),
            new ManagementServer.Parts(
                Map.of("/page", () -> "{}"), Map.of("/act", () -> "done"), Map.of(), null))
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  private static HttpClient client(X509Bundle authority, @Nullable X509Bundle own)
      throws Exception {
    var trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null);
    trusted.setCertificateEntry("ca", authority.getCertificate());
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    var context = SSLContext.getInstance("TLS");
    KeyManagerFactory keys = null;
    if (own != null) {
      keys = own.toKeyManagerFactory();
    }
    context.init(keys == null ? null : keys.getKeyManagers(), trust.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(context).build();
  }

  private static int send(HttpClient client, ManagementServer server, String method, String path)
      throws Exception {
    return client
        .send(
            HttpRequest.newBuilder(
                    URI.create("https://localhost:" + server.address().getPort() + path))
                .timeout(Duration.ofSeconds(20))
                .method(method, HttpRequest.BodyPublishers.noBody())
                .build(),
            BodyHandlers.discarding())
        .statusCode();
  }

  @Test
  void aCertificateOfTheAuthorityIsAsGoodAsATokenOfItsRole() throws Exception {
    var authority = builder("authority").setIsCertificateAuthority(true).buildSelfSigned();
    var server = builder("localhost").addSanDnsName("localhost").buildIssuedBy(authority);
    var laptop = builder("laptop").buildIssuedBy(authority);
    var stranger = builder("laptop").setIsCertificateAuthority(true).buildSelfSigned();
    Path ca = Files.writeString(directory.resolve("ca.pem"), authority.getCertificatePEM());
    for (Role role : Role.values()) {
      ManagementServer running = start(server, ca, role);
      try (HttpClient known = client(authority, laptop);
          HttpClient none = client(authority, null);
          HttpClient other = client(authority, stranger)) {
        assertThat(send(known, running, "GET", "/page")).isEqualTo(200);
        assertThat(send(known, running, "POST", "/act"))
            .isEqualTo(role == Role.OPERATE ? 202 : 403);
        assertThatThrownBy(() -> send(none, running, "GET", "/healthz"))
            .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> send(other, running, "GET", "/page"))
            .isInstanceOf(IOException.class);
      } finally {
        running.close(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
      }
    }
  }
}

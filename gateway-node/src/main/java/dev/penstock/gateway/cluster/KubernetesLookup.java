package dev.penstock.gateway.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/// Nodes by the pods that a label selects, from the Kubernetes API. The service account's token and
/// the authority of the API's certificate are read for every lookup, because both are replaced
/// while a pod runs.
///
/// @param where what is asked for
/// @param port of the nodes
record KubernetesLookup(Seeding.Kubernetes where, int port) implements Lookup {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final int MAX_PODS = 256;
  private static final int MAX_ANSWER = 16 << 20;
  private static final int MAX_TOKEN = 64 << 10;
  private static final ObjectMapper JSON = new ObjectMapper();

  @Override
  public Set<HostPort> nodes() throws IOException, InterruptedException {
    String token = read("token");
    String namespace = where.namespace() == null ? read("namespace") : where.namespace();
    URI uri =
        where
            .api()
            .resolve(
                "/api/v1/namespaces/"
                    + namespace
                    + "/pods?limit="
                    + MAX_PODS
                    + "&labelSelector="
                    + URLEncoder.encode(where.selector(), StandardCharsets.UTF_8));
    var builder = HttpClient.newBuilder().connectTimeout(TIMEOUT);
    if ("https".equals(uri.getScheme())) {
      builder.sslContext(trust());
    }
    try (HttpClient client = builder.build()) {
      var request =
          HttpRequest.newBuilder(uri)
              .timeout(TIMEOUT)
              .header("Authorization", "Bearer " + token)
              .header("Accept", "application/json")
              .build();
      var response = client.send(request, BodyHandlers.ofInputStream());
      try (InputStream body = response.body()) {
        byte[] answer = body.readNBytes(MAX_ANSWER);
        if (response.statusCode() != 200) {
          throw new IOException(
              "the Kubernetes API answered "
                  + response.statusCode()
                  + hint(response.statusCode(), namespace));
        }
        return pods(JSON.readTree(answer));
      }
    } catch (IllegalArgumentException e) {
      // A token that cannot be a header.
      throw new IOException("the service account's token cannot be used", e);
    }
  }

  /// Pods that run, have an address and are not about to end.
  private Set<HostPort> pods(JsonNode list) throws IOException {
    if (!list.path("items").isArray()) {
      throw new IOException("the Kubernetes API did not answer with a list of pods");
    }
    var nodes = new HashSet<HostPort>();
    for (JsonNode pod : list.path("items")) {
      String address = pod.path("status").path("podIP").asText("");
      if (pod.path("status").path("phase").asText("").equals("Running")
          && pod.path("metadata").path("deletionTimestamp").isMissingNode()
          && HostPort.isHost(address)) {
        nodes.add(new HostPort(address, port));
      }
    }
    return nodes;
  }

  private static String hint(int status, String namespace) {
    return switch (status) {
      case 401 -> ": the service account's token is not valid";
      case 403 -> ": the service account may not list pods in the namespace " + namespace;
      default -> "";
    };
  }

  private String read(String file) throws IOException {
    Path path = where.account().resolve(file);
    try (InputStream stream = Files.newInputStream(path)) {
      return new String(stream.readNBytes(MAX_TOKEN), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw new IOException(path + " cannot be read", e);
    }
  }

  private SSLContext trust() throws IOException {
    Path path = where.account().resolve("ca.crt");
    try (InputStream stream = Files.newInputStream(path)) {
      var store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (Certificate certificate :
          CertificateFactory.getInstance("X.509").generateCertificates(stream)) {
        store.setCertificateEntry("ca-" + number++, certificate);
      }
      var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      var context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (IOException | GeneralSecurityException e) {
      throw new IOException(path + " cannot be used", e);
    }
  }
}

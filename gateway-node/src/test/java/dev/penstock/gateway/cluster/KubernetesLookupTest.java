package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KubernetesLookupTest {
  @TempDir Path account;

  private final List<String> asked = new CopyOnWriteArrayList<>();
  private HttpServer api;
  private volatile int status = 200;
  private volatile String answer = "{\"items\": []}";

  @BeforeEach
  void start() throws IOException {
    Files.writeString(account.resolve("token"), "t1\n");
    Files.writeString(account.resolve("namespace"), "edge");
    api = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    api.createContext(
        "/",
        exchange -> {
          asked.add(
              exchange.getRequestHeaders().getFirst("Authorization")
                  + " "
                  + exchange.getRequestURI());
          byte[] body = answer.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    api.start();
  }

  @AfterEach
  void end() {
    api.stop(0);
  }

  private KubernetesLookup lookup() {
    return new KubernetesLookup(
        new Seeding.Kubernetes(
            URI.create("http://127.0.0.1:" + api.getAddress().getPort()),
            null,
            "app=penstock",
            account,
            2),
        7355);
  }

  private static String pod(String address, String phase, String metadata) {
    return "{\"metadata\": {%s}, \"status\": {\"phase\": \"%s\", \"podIP\": \"%s\"}}"
        .formatted(metadata, phase, address);
  }

  @Test
  void podsThatRunAreNodes() throws Exception {
    answer =
        "{\"items\": ["
            + String.join(
                ",",
                pod("10.0.0.1", "Running", ""),
                pod("10.0.0.2", "Running", ""),
                pod("10.0.0.3", "Pending", ""),
                pod("10.0.0.4", "Running", "\"deletionTimestamp\": \"2026-01-01T00:00:00Z\""),
                pod("", "Running", ""),
                pod("no address", "Running", ""),
                "{}")
            + "]}";
    assertThat(lookup().nodes())
        .containsExactlyInAnyOrder(new HostPort("10.0.0.1", 7355), new HostPort("10.0.0.2", 7355));
  }

  @Test
  void theTokenIsReadForEveryQuestion() throws Exception {
    lookup().nodes();
    Files.writeString(account.resolve("token"), "t2");
    lookup().nodes();
    assertThat(asked)
        .containsExactly(
            "Bearer t1 /api/v1/namespaces/edge/pods?limit=256&labelSelector=app%3Dpenstock",
            "Bearer t2 /api/v1/namespaces/edge/pods?limit=256&labelSelector=app%3Dpenstock");
  }

  @Test
  void aRefusalIsToldWithWhatToDo() {
    status = 403;
    assertThatThrownBy(() -> lookup().nodes())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("may not list pods in the namespace edge");
    status = 401;
    assertThatThrownBy(() -> lookup().nodes()).hasMessageContaining("token is not valid");
    status = 200;
    answer = "{}";
    assertThatThrownBy(() -> lookup().nodes()).hasMessageContaining("not answer with a list");
    answer = "<html>";
    assertThatThrownBy(() -> lookup().nodes()).isInstanceOf(IOException.class);
  }

  @Test
  void aMissingAccountIsToldWithItsFile() throws IOException {
    Files.delete(account.resolve("token"));
    assertThatThrownBy(() -> lookup().nodes())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(account.resolve("token") + " cannot be read");
  }
}

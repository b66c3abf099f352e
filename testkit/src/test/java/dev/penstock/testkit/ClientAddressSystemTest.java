package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Real servers learn who calls, through a gateway and an agent and with a real proxy in front.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ClientAddressSystemTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /// Where haproxy connects from.
  private static final String PROXY = "127.0.0.9";

  @TempDir Path directory;

  /// What the server answers a client that comes from one of the loopback addresses.
  private String get(String from, String address) {
    return Programs.run(
        LIMIT,
        directory,
        List.of(Programs.require("curl"), "-fsS", "--interface", from, "http://" + address + "/"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"v1", "v2"})
  void nginxLearnsTheClientsAddressAndThePublicPort(String version) {
    try (RealServer server = RealServer.nginxBehindProxies();
        Lab lab =
            Lab.in(directory)
                .expose("web", server.address(), "proxy_protocol: " + version)
                .start()) {
      int port = lab.port("web");
      assertThat(get("127.0.0.5", "127.0.0.1:" + port)).isEqualTo("127.0.0.5 " + port);
      assertThat(get("127.0.0.6", "127.0.0.1:" + port)).isEqualTo("127.0.0.6 " + port);
    }
  }

  @ParameterizedTest
  @CsvSource({"send-proxy, v2", "send-proxy-v2, v1"})
  void nginxLearnsOfTheClientBehindHaproxyToo(String header, String version) throws IOException {
    try (RealServer server = RealServer.nginxBehindProxies();
        Lab lab =
            Lab.in(directory)
                .expose("web", server.address(), "proxy_protocol: " + version)
                .publicSide("proxy_protocol: {mode: required, trusted: [" + PROXY + "]}")
                .start();
        RealServer proxy = RealServer.haproxy(lab.port("web"), PROXY, header)) {
      String front = proxy.address();
      String port = front.substring(front.indexOf(':') + 1);
      assertThat(get("127.0.0.5", front)).isEqualTo("127.0.0.5 " + port);
      // Who is not the proxy cannot say to be somebody else.
      assertThatThrownBy(
              () -> {
                try (Socket client = lab.connect("web")) {
                  client.getInputStream().read();
                }
              })
          .isInstanceOf(SocketException.class);
    }
  }

  @Test
  void theRulesOfATunnelHoldForTheClientBehindTheProxy() {
    try (RealServer server = RealServer.nginx();
        Lab lab =
            Lab.in(directory)
                .expose("web", server.address(), "access: {deny: [127.0.0.6]}")
                .publicSide("proxy_protocol: {mode: optional, trusted: [" + PROXY + "]}")
                .start();
        RealServer proxy = RealServer.haproxy(lab.port("web"), PROXY, "send-proxy-v2")) {
      String curl = Programs.require("curl");
      for (String address : List.of(proxy.address(), "127.0.0.1:" + lab.port("web"))) {
        assertThat(status(curl, "127.0.0.5", address)).isEqualTo("403");
        assertThat(status(curl, "127.0.0.6", address)).isEqualTo("000");
      }
    }
  }

  /// nginx forbids its empty folder, which is an answer; no answer is 000.
  private String status(String curl, String from, String address) {
    var command =
        List.of(
            curl,
            "-s",
            "-o",
            "index",
            "-w",
            "%{http_code}",
            "--interface",
            from,
            "http://" + address + "/");
    return Programs.tryRun(LIMIT, directory, command).output();
  }
}

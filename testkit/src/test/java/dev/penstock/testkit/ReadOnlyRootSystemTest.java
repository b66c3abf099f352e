package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What runs in a container, as the images lay it out, under the rules of the manifests: user 65532
/// without capabilities, all of the file system read-only but an empty `/tmp`. A mount namespace
/// stands for the container, which takes root.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ReadOnlyRootSystemTest {
  /// Where the distribution is inside.
  private static final String INSIDE = "/mnt";

  private static final String CONTAINER =
      """
      set -e
      mount --bind "$1" %1$s
      mount -o remount,bind,ro %1$s
      mount -o remount,bind,ro /
      mount -t tmpfs -o mode=1777 tmpfs /tmp
      cd /tmp
      shift
      exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all "$@"
      """
          .formatted(INSIDE);

  @TempDir Path directory;

  @BeforeEach
  void layOut() throws IOException {
    Programs.require("setpriv");
    assumeTrue(
        Programs.tryRun(Duration.ofSeconds(20), directory, container("/bin/sh", "-c", "exit 0"))
                .exitCode()
            == 0,
        "mounting: not allowed (expected: root, who may make mount namespaces)");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path libs = Files.createDirectories(directory.resolve("penstock/libs"));
    for (String from : List.of("testkit/target/lib", "testkit/target")) {
      try (DirectoryStream<Path> jars =
          Files.newDirectoryStream(Home.DIRECTORY.resolve(from), "*.jar")) {
        for (Path jar : jars) {
          Files.copy(jar, libs.resolve(jar.getFileName().toString()));
        }
      }
    }
    Files.copy(Home.DIRECTORY.resolve("penstock"), directory.resolve("penstock/penstock"));
  }

  private List<String> container(String... command) {
    var all =
        new ArrayList<>(
            List.of(
                Programs.require("unshare"),
                "--mount",
                "/bin/sh",
                "-c",
                CONTAINER,
                "container",
                directory.toString()));
    all.addAll(List.of(command));
    return all;
  }

  private NodeProcess start(String role, int management, String yaml) throws IOException {
    Files.writeString(directory.resolve(role + ".yaml"), yaml);
    return NodeProcess.run(
        role,
        directory,
        management,
        Map.of("PENSTOCK_HEAP", "256m"),
        container(INSIDE + "/penstock/penstock", role, "--config", INSIDE + "/" + role + ".yaml"));
  }

  @Test
  void gatewayAndAgentWriteNothingButTemporaryFiles() throws IOException {
    // Else the test would show nothing.
    assertThat(
            Programs.tryRun(
                    Duration.ofSeconds(20),
                    directory,
                    container(
                        "/bin/sh", "-c", "touch /tmp/x && ! touch /mnt/x && ! touch /var/tmp/x"))
                .exitCode())
        .isZero();
    int listen = Ports.free();
    int gatewayManagement = Ports.free();
    int agentManagement = Ports.free();
    try (var gateway =
            start(
                    "gateway",
                    gatewayManagement,
                    """
                    gateway:
                      listen: 127.0.0.1:%d
                      data_dir: /tmp/data
                      auth: {tokens: [{token: s3cret, cluster: lab}]}
                    management: {listen: "127.0.0.1:%d"}
                    """
                        .formatted(listen, gatewayManagement))
                .awaitReady();
        var agent =
            start(
                    "agent",
                    agentManagement,
                    """
                    pipeops: {api_url: "http://127.0.0.1:%d", token: s3cret}
                    management: {listen: "127.0.0.1:%d"}
                    tunnels:
                      services: [{name: echo, port: 7, target: "127.0.0.1:7", public_port: %d}]
                    """
                        .formatted(listen, agentManagement, Ports.free()))
                .awaitReady()) {
      for (NodeProcess node : List.of(agent, gateway)) {
        assertThat(node.terminate()).as(node::report).isZero();
        assertThat(node.log())
            .noneMatch(line -> line.contains("Read-only") || line.contains("Permission denied"))
            .noneMatch(line -> line.contains(" ERROR "));
      }
    }
  }
}

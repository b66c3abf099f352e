package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// `ssh -R` into an sshd of its own: one encrypted connection for all streams.
final class SshPeer implements Peer {
  private static final String INSTALL = "apt install openssh-server openssh-client";
  private static final Tool SSHD = new Tool("sshd", INSTALL, "-V");
  private static final Tool SSH = new Tool("ssh", INSTALL, "-V");
  private static final Tool KEYGEN = new Tool("ssh-keygen", INSTALL, "");

  @Override
  public String name() {
    return "ssh";
  }

  @Override
  public List<Tool> tools() {
    return List.of(SSH, SSHD, KEYGEN);
  }

  @Override
  public int socketsPerVisitor() {
    return 1;
  }

  @Override
  public WarmUp warmUp() {
    return WarmUp.NATIVE;
  }

  @Override
  public String note() {
    return "ssh -R into an own sshd, key login, encrypted (cannot be switched off), default cipher";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    privilegeSeparation();
    String hostKey = key(site, "host");
    String userKey = key(site, "user");
    var config =
        site.write(
            "sshd_config",
            """
            Port %d
            ListenAddress 127.0.0.1
            HostKey %s
            AuthorizedKeysFile %s.pub
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            LogLevel ERROR
            """
                .formatted(link, hostKey, userKey));
    site.launch(Role.GATEWAY, List.of(SSHD.path(), "-D", "-e", "-f", config));
    site.awaitListening(link);
    site.launch(
        Role.AGENT,
        List.of(
            SSH.path(),
            "-N",
            "-F",
            "none",
            "-i",
            userKey,
            "-p",
            Integer.toString(link),
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "127.0.0.1:%d:127.0.0.1:%d".formatted(open, site.target()),
            System.getProperty("user.name") + "@127.0.0.1"));
    return open;
  }

  /// An sshd that root starts wants this directory; where no service manager runs, nobody made it.
  private static void privilegeSeparation() throws IOException {
    if (System.getProperty("user.name").equals("root")) {
      Files.createDirectories(Path.of("/run/sshd"));
    }
  }

  private static String key(Site site, String name) throws IOException {
    var path = site.path(name).toString();
    var process =
        new ProcessBuilder(KEYGEN.path(), "-q", "-t", "ed25519", "-N", "", "-f", path).start();
    try {
      if (process.waitFor() != 0) {
        throw new IOException("ssh-keygen: exit code " + process.exitValue() + " (expected: 0)");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return path;
  }
}

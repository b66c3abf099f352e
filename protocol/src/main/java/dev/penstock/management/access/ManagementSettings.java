package dev.penstock.management.access;

import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Secret;
import dev.penstock.config.Section;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The management port of a gateway or an agent.
///
/// @param listen `management.listen`: where health, metrics and operations are served; port 0 to
///   65535. Another address than a loopback one needs tokens or client certificates
/// @param probes `management.probes`: where health, readiness and metrics alone are served too, for
///   all who reach it; port 0 to 65535, default none
/// @param tokens `management.tokens`: who may ask for more than health, readiness and metrics; at
///   most [#MAX_TOKENS], default none, which lets everybody on this machine
/// @param tls `management.tls`: certificate of `management.listen`; null serves plain HTTP
public record ManagementSettings(
    HostPort listen, @Nullable HostPort probes, List<Token> tokens, @Nullable Tls tls) {
  /// Entries of the longest list of tokens.
  public static final int MAX_TOKENS = 100;

  private static final Kind<String> NAME =
      Kind.text(Pattern.compile("[A-Za-z0-9._@-]{1,64}"), "1 to 64 of A-Z a-z 0-9 . _ @ -", "x");

  /// What one bearer token stands for.
  ///
  /// @param name `management.tokens[].name`: who is named in the audit log; 1 to 64 of the
  ///   characters `A-Z a-z 0-9 . _ @ -`
  /// @param token `management.tokens[].token` or the content of the file at
  ///   `management.tokens[].token_file`: 1 to 4096 printable ASCII characters without spaces
  /// @param role `management.tokens[].role`: `read` or `operate`; default `read`
  public record Token(String name, Secret token, Role role) {
    /// Without the token.
    @Override
    public String toString() {
      return "Token[name=" + name + ", role=" + role + "]";
    }
  }

  /// The certificate of the port, as PEM files that were readable when the settings were read.
  ///
  /// @param cert `management.tls.cert`: the certificate and its chain
  /// @param key `management.tls.key`: its private key, PKCS #8 without a password
  /// @param clientCa `management.tls.client_ca`: the authorities of clients' certificates, which
  ///   are then demanded; null demands none
  /// @param clientRole `management.tls.client_role`: what a caller with such a certificate and
  ///   without a token may do, `read` or `operate`; default `operate`
  public record Tls(Path cert, Path key, @Nullable Path clientCa, Role clientRole) {}

  public ManagementSettings {
    tokens = List.copyOf(tokens);
  }

  /// Health, metrics and operations for whoever is on this machine.
  public static ManagementSettings open(HostPort listen) {
    return new ManagementSettings(listen, null, List.of(), null);
  }

  /// Reads the section `management`.
  public static ManagementSettings of(Section section, HostPort byDefault) {
    var listen = section.get("listen", Kind.listenAddress(), byDefault);
    var probes = section.find("probes", Kind.listenAddress()).orElse(null);
    var tokens = tokens(section);
    Section tls = section.section("tls");
    var certificate = tls.isPresent() ? tls(tls) : null;
    if (probes != null && probes.port() != 0 && probes.equals(listen)) {
      section.refuse(
          "probes", "found \"" + probes + "\"", "another address than management.listen");
    }
    boolean guarded = !tokens.isEmpty() || (certificate != null && certificate.clientCa() != null);
    if (!guarded && !isLoopback(listen.host())) {
      section.refuse(
          "listen",
          "found \"" + listen + "\" without management.tokens",
          "a loopback address such as "
              + byDefault
              + ", or management.tokens or management.tls.client_ca beside it;"
              + " management.probes may be any address");
    }
    return new ManagementSettings(listen, probes, tokens, certificate);
  }

  private static List<Token> tokens(Section section) {
    var tokens = new ArrayList<Token>();
    var secrets = new HashSet<Secret>();
    var names = new HashSet<String>();
    List<Section> entries = section.sections("tokens");
    if (entries.size() > MAX_TOKENS) {
      section.refuse("tokens", "found " + entries.size() + " entries", "at most " + MAX_TOKENS);
      return tokens;
    }
    for (Section entry : entries) {
      var name = entry.require("name", NAME);
      var secret = entry.requireSecret("token");
      var role = entry.get("role", Kind.oneOf(Role.class), Role.READ);
      if (!names.add(name)) {
        entry.refuse("name", "found \"" + name + "\" a second time", "a name of its own");
      }
      if (!secret.reveal().isEmpty() && !secrets.add(secret)) {
        entry.refuse("token", "found a token of an entry above", "a token of its own");
      }
      tokens.add(new Token(name, secret, role));
    }
    return tokens;
  }

  private static Tls tls(Section section) {
    int problems = section.problemCount();
    var cert = section.require("cert", Kind.certificates());
    var key = section.require("key", Kind.privateKey());
    if (section.problemCount() == problems) {
      section.requireKeyOf(cert, "key", key);
    }
    return new Tls(
        cert,
        key,
        section.find("client_ca", Kind.certificates()).orElse(null),
        section.get("client_role", Kind.oneOf(Role.class), Role.OPERATE));
  }

  /// Whether only this machine reaches the address. Asks no name server.
  static boolean isLoopback(String host) {
    if (host.equalsIgnoreCase("localhost")) {
      return true;
    }
    try {
      return InetAddress.ofLiteral(host).isLoopbackAddress();
    } catch (IllegalArgumentException _) {
      return false;
    }
  }
}

package dev.penstock.cli.operate;

import dev.penstock.config.PemFiles;
import dev.penstock.config.Secret;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The options by which a command is told whose management HTTP to speak to, and as whom; what is
/// below the command takes them too.
public final class ManagementOptions {
  /// Holds a token, so that none needs to be written where others see it.
  public static final String TOKEN_VARIABLE = "PENSTOCK_MANAGEMENT_TOKEN";

  private final Map<String, String> environment;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command = CommandSpec.create();

  @Option(
      scope = ScopeType.INHERIT,
      names = "--management",
      paramLabel = "URL",
      defaultValue = "http://127.0.0.1:9090",
      description =
          "The node's management.listen; ${DEFAULT-VALUE}, which is a gateway's, unless told "
              + "otherwise. An agent's is http://127.0.0.1:9091.")
  private URI management = URI.create("http://127.0.0.1:9090");

  @Option(
      scope = ScopeType.INHERIT,
      names = "--token-file",
      paramLabel = "FILE",
      description =
          "Holds one of management.tokens; without it the variable " + TOKEN_VARIABLE + " counts.")
  private @Nullable Path tokenFile;

  @Option(
      scope = ScopeType.INHERIT,
      names = "--token",
      paramLabel = "TOKEN",
      description = "The token itself, which everybody on this machine can then see.")
  private @Nullable String token;

  @Option(
      scope = ScopeType.INHERIT,
      names = "--ca-file",
      paramLabel = "FILE",
      description = "PEM certificates of the authorities to trust for https.")
  private @Nullable Path caFile;

  @Option(
      scope = ScopeType.INHERIT,
      names = "--cert-file",
      paramLabel = "FILE",
      description = "Your certificate, for management.tls.client_ca; goes with --key-file.")
  private @Nullable Path certFile;

  @Option(
      scope = ScopeType.INHERIT,
      names = "--key-file",
      paramLabel = "FILE",
      description = "Its key, PKCS #8 as PEM.")
  private @Nullable Path keyFile;

  /// @param environment the process's variables
  public ManagementOptions(Map<String, String> environment) {
    this.environment = Map.copyOf(environment);
  }

  /// A client for what the options say; closes with its caller.
  ///
  /// @throws IOException a file cannot be read or used
  /// @throws ParameterException the options exclude each other
  public Management open() throws IOException {
    String scheme = management.getScheme();
    if (management.getHost() == null || !("http".equals(scheme) || "https".equals(scheme))) {
      throw refuse(
          "--management: " + management + " (expected: a URL such as http://127.0.0.1:9090)");
    }
    if (token != null && tokenFile != null) {
      throw refuse("--token and --token-file exclude each other; give one of them");
    }
    if ((certFile == null) != (keyFile == null)) {
      throw refuse("--cert-file and --key-file go together; give both");
    }
    return new Management(management, token(), "https".equals(scheme) ? tls() : null);
  }

  private @Nullable Secret token() throws IOException {
    String text = token;
    if (tokenFile != null) {
      if (!Files.isReadable(tokenFile)) {
        throw new IOException(
            tokenFile + ": cannot be read (expected: a file that holds one of management.tokens)");
      }
      text = Files.readString(tokenFile);
    } else if (text == null) {
      text = environment.get(TOKEN_VARIABLE);
    }
    if (text == null || text.isBlank()) {
      return null;
    }
    if (!text.strip().matches("[!-~]{1,4096}")) {
      throw new IOException(
          "the token has characters that no token has (expected: printable ASCII, no spaces)");
    }
    return Secret.of(text.strip());
  }

  private SSLContext tls() throws IOException {
    try {
      var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(caFile == null ? (KeyStore) null : PemFiles.trusting(caFile));
      var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(
          certFile == null || keyFile == null ? null : PemFiles.identity(certFile, keyFile),
          new char[0]);
      var context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("TLS cannot be used: " + e.getMessage(), e);
    }
  }

  private ParameterException refuse(String message) {
    return new ParameterException(command.commandLine(), message);
  }
}

using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>
/// A certificate chain and its key in PEM files, read again when the files change: whoever renews them need not tell. A renewal that cannot be
/// read leaves the old certificate in use and is logged.
/// </summary>
internal sealed partial class CertificateFiles
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private sealed record State(SslServerAuthenticationOptions Options, (DateTime, DateTime) Written);

    private readonly string certificatePath;
    private readonly string keyPath;
    private readonly TimeProvider time;
    private volatile State state;
    private long looked;

    public CertificateFiles(string certificatePath, string keyPath, TimeProvider time)
    {
        (this.certificatePath, this.keyPath, this.time) = (certificatePath, keyPath, time);
        try
        {
            state = Load();
        }
        catch (Exception e) when (IsUnusable(e))
        {
            throw new InvalidDataException($"The certificate in {certificatePath} with the key in {keyPath} cannot be used: {e.Message}", e);
        }
        looked = time.GetTimestamp();
    }

    public ILogger Log { get; set; } = NullLogger.Instance;

    public SslServerAuthenticationOptions Current()
    {
        var last = Interlocked.Read(ref looked);
        if (time.GetElapsedTime(last) < LookEvery || Interlocked.CompareExchange(ref looked, time.GetTimestamp(), last) != last) return state.Options;
        if (Written() == state.Written) return state.Options;
        try
        {
            state = Load();
            LogRenewed(Log, certificatePath);
        }
        catch (Exception e) when (IsUnusable(e))
        {
            LogNotRenewed(Log, e, certificatePath);
        }
        return state.Options;
    }

    private State Load()
    {
        var written = Written();
        using var pem = X509Certificate2.CreateFromPemFile(certificatePath, keyPath);
        // A key that came from PEM is ephemeral, which not every platform serves from.
        var leaf = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificatePath);
        return new(new()
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, chain, offline: true),
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        }, written);
    }

    private (DateTime, DateTime) Written() => (File.GetLastWriteTimeUtc(certificatePath), File.GetLastWriteTimeUtc(keyPath));

    private static bool IsUnusable(Exception e) => e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;

    [LoggerMessage(1, LogLevel.Information, "Certificate read anew from {Path}")]
    private static partial void LogRenewed(ILogger log, string path);

    [LoggerMessage(2, LogLevel.Error, "The changed certificate in {Path} cannot be used; the one before stays")]
    private static partial void LogNotRenewed(ILogger log, Exception e, string path);
}

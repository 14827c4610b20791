using System.Security.Cryptography.X509Certificates;

namespace Matrix.ServiceDefaults.Hosting;

/// <summary>A certificate from PEM files that is read again when the files change: renewal needs no restart.</summary>
internal sealed class ReloadingCertificate(string certificatePath, string privateKeyPath, TimeProvider time)
{
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(30);
    private readonly Lock _lock = new();
    private X509Certificate2? _certificate;
    private DateTime _written;
    private long _checked;

    public X509Certificate2 Current
    {
        get
        {
            lock (_lock)
            {
                if (_certificate is not null && time.GetElapsedTime(_checked) < CheckEvery)
                {
                    return _certificate;
                }

                _checked = time.GetTimestamp();
                var written = File.GetLastWriteTimeUtc(certificatePath);
                if (_certificate is null || written != _written)
                {
                    try
                    {
                        _certificate = X509Certificate2.CreateFromPemFile(certificatePath, privateKeyPath);
                        _written = written;
                    }
                    catch (Exception e) when (_certificate is not null && e is IOException or System.Security.Cryptography.CryptographicException)
                    {
                        // Certificate and key are replaced one after the other; the next check finds both.
                        return _certificate!;
                    }
                }

                return _certificate;
            }
        }
    }
}

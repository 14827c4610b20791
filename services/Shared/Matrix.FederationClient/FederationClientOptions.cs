namespace Matrix.FederationClient;

/// <summary>How this server goes out to others; filled from homeserver.yaml (Matrix.Web/Federation).</summary>
public sealed record FederationClientOptions
{
    /// <summary>Off in tests only.</summary>
    public bool VerifyCertificates { get; init; } = true;
    /// <summary>PEM files of authorities that are trusted instead of those of the system; empty: those of the system.</summary>
    public IReadOnlyList<string> CustomCaFiles { get; init; } = [];
    /// <summary>CIDR ranges that are never connected to.</summary>
    public IReadOnlyList<string> IpRangeBlacklist { get; init; } = [];
    /// <summary>Exceptions from it.</summary>
    public IReadOnlyList<string> IpRangeWhitelist { get; init; } = [];
    /// <summary>Servers that may be talked to; null: all.</summary>
    public IReadOnlyList<string>? DomainWhitelist { get; init; }
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);
}

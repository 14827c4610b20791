namespace Matrix.ClientApi.Sso;

/// <summary>The providers of this server, in the order of the configuration.</summary>
internal sealed class SsoProviders(IEnumerable<ISsoProvider> providers)
{
    public IReadOnlyList<ISsoProvider> All { get; } = [.. providers];

    /// <summary>Null: none of that name.</summary>
    public ISsoProvider? Find(string id) => All.FirstOrDefault(p => p.Id == id);
}

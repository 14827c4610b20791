namespace Matrix.ServiceDefaults.Templating;

/// <summary>The names that a template sees, and how values are written.</summary>
internal sealed class Scope(IReadOnlyDictionary<string, object?> values, bool encode, Scope? outer = null)
{
    private readonly Dictionary<string, object?> own = new(StringComparer.Ordinal);

    /// <summary>Values are encoded for HTML.</summary>
    public bool Encode => encode;

    /// <summary>Blocks by name, of the template that was asked for; those of its base give way.</summary>
    public IReadOnlyDictionary<string, Block> Blocks { get; init; } = outer?.Blocks ?? new Dictionary<string, Block>();

    public object? Find(string name) =>
        own.TryGetValue(name, out var value) || values.TryGetValue(name, out value) ? value : outer?.Find(name);

    public void Set(string name, object? value) => own[name] = value;

    public Scope Inner() => new(new Dictionary<string, object?>(), encode, this);
}

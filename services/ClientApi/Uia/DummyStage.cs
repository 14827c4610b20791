namespace Matrix.ClientApi.Uia;

/// <summary>Spec: client-server-api/#dummy-auth</summary>
internal sealed class DummyStage : IUiaStage
{
    public const string Name = "m.login.dummy";
    public string Type => Name;
    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => new(UiaVerdict.Proved);
}

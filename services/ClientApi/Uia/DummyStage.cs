using Matrix.ClientApi.Pages;

namespace Matrix.ClientApi.Uia;

/// <summary>Spec: client-server-api/#dummy-auth</summary>
internal sealed class DummyStage(Pages.Pages pages) : IUiaPage
{
    public const string Name = "m.login.dummy";
    public string Type => Name;

    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => new(UiaVerdict.Proved);

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct) => new(pages.Show("uia_dummy.html", request.Values(complaint)));

    public ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) => new(UiaVerdict.Proved);
}

namespace Matrix.Testing.Specification;

/// <summary>Looks at every answer that a test gets; one that breaks the specification fails the request, and so the test.</summary>
public sealed class CheckedAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        var (method, address, status, type) = (request.Method.Method, request.RequestUri!, (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType);
        if (!SpecificationCheck.SaysSomethingOf(method, address, status)) return response;
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (SpecificationNotes.AreWanted && request.Content?.Headers.ContentType?.MediaType == "application/json")
            SpecificationCheck.NoteRequest(method, address, await request.Content.ReadAsByteArrayAsync(cancellationToken), status, body);
        try
        {
            SpecificationCheck.Require(method, address, status, type, body);
        }
        catch (SpecificationBrokenException)
        {
            response.Dispose();
            throw;
        }
        return response;
    }
}

using Matrix.Primitives;

namespace Matrix.Sync.Endpoints;

/// <summary>A pooled answer, given back once it is written.</summary>
internal sealed class BufferResult(PooledBuffer buffer) : IResult
{
    public async Task ExecuteAsync(HttpContext context)
    {
        using (buffer)
        {
            var response = context.Response;
            response.ContentType = "application/json";
            response.ContentLength = buffer.Length;
            await response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
        }
    }
}

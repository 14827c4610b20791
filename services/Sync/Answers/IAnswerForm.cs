using Matrix.Primitives;

namespace Matrix.Sync.Answers;

/// <summary>How an endpoint tells a plan.</summary>
internal interface IAnswerForm
{
    /// <summary>False: there is nothing in the plan that this form tells, so the request goes on waiting.</summary>
    bool HasNews(AnswerPlan plan);

    /// <summary>The form tells what the device has left of one-time keys.</summary>
    bool TellsKeys => false;

    /// <summary>Gets what only this form tells, once there is something to tell.</summary>
    Task CompleteAsync(AnswerPlan plan, Reader reader, CancellationToken ct) => Task.CompletedTask;

    void Write(PooledBuffer output, AnswerPlan plan, Reader reader);
}

/// <summary>The answer of /sync v3.</summary>
internal sealed class SyncForm : IAnswerForm
{
    public static SyncForm Instance { get; } = new();

    public bool HasNews(AnswerPlan plan) => plan.HasNews;
    public bool TellsKeys => true;
    public void Write(PooledBuffer output, AnswerPlan plan, Reader reader) => AnswerWriter.Write(output, plan, reader);
}

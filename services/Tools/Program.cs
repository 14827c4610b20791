using Matrix.Tools;

return await ArmadaCommand.RunAsync(args, ToolContext.OfProcess, CancellationToken.None);

using Matrix.Gateway;

if (args is ["route", ..]) return RouteTool.Run(args[1..], Console.Out, Console.Error);

return 0;

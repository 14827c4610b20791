using Matrix.Push;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("push", args);
builder.AddPush();
var app = builder.Build();
app.UseMatrix();
app.MapPush();
return await app.RunMatrixAsync();

using Matrix.AppServices;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("appservices", args);
builder.AddAppServices();
var app = builder.Build();
app.UseMatrix();
app.MapAppServices();
return await app.RunMatrixAsync();

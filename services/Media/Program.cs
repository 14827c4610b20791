using Matrix.Media;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("media", args);
builder.AddMedia();
var app = builder.Build();
app.UseMatrix();
app.MapMedia();
return await app.RunMatrixAsync();

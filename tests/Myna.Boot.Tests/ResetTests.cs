namespace Myna.Boot.Tests;

/// <summary>Every way in which Linux resets a PC (its parameter reboot=): keyboard controller, ACPI's register, port CF9h, a triple fault.</summary>
public class ResetTests
{
    [Theory]
    [InlineData("q35", "k")]
    [InlineData("q35", "a")]
    [InlineData("q35", "p")]
    [InlineData("q35", "t")]
    [InlineData("pc", "k")]
    [InlineData("pc", "p")]
    public void Linux_resets_a_PC(string board, string way)
    {
        Result result = MynaProgram.Run("reboot -f\n", ["run", "--arch", "x86_64", "--machine", board, "--net", "none", "--no-reboot", "--append", $"reboot={way}"]);
        Assert.True(result.Status == 0, $"status {result.Status}\n{result.Output}\n{result.Error}");
        Assert.Contains("machine restart", result.Output, StringComparison.Ordinal);
        Assert.Equal(way == "t", result.Error.Contains("triple fault", StringComparison.OrdinalIgnoreCase));
    }
}

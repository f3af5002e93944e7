namespace Myna.Machines.Tests;

public class ArchitectureInferenceTests
{
    [Theory]
    [InlineData(null, null, null, "x86_64")]
    [InlineData("virt,aia=aplic-imsic", null, null, "riscv64")]
    [InlineData("microvm", null, null, "x86_64")]
    [InlineData(null, "sbi", null, "riscv64")]
    [InlineData(null, "opensbi", null, "riscv64")]
    [InlineData(null, "bios", null, "x86_64")]
    [InlineData(null, null, "max", "x86_64")]
    [InlineData("q35", "opensbi", null, "x86_64")]
    public void What_is_named_says_which_computer_is_meant(string? board, string? firmware, string? cpu, string expected)
        => Assert.Equal(expected, Boards.Infer(board, kernel: null, firmware, cpu));
}

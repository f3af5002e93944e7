using Myna.Cpu.X86;

namespace Myna.Cpu.Tests.X86;

/// <summary>Assembly text as debuggers ask the CPU for it.</summary>
public class DisassemblyTests
{
    [Theory]
    [InlineData(X86BootMode.Long64, "488B4310", "mov rax, [rbx+0x10]")]
    [InlineData(X86BootMode.Long64, "EBFE", "jmp short 0x100000")]
    [InlineData(X86BootMode.Protected32, "8B4310", "mov eax, [ebx+0x10]")]
    [InlineData(X86BootMode.Real, "B83412", "mov ax, 0x1234")]
    public void Instructions_are_read_as_the_mode_of_the_cpu_has_it(X86BootMode mode, string bytes, string text)
    {
        using X86Fixture x = new(mode);
        byte[] code = Convert.FromHexString(bytes);
        x.Write(x.Entry, code);
        Assert.True(x.Cpu.TryDisassemble(x.Entry, out string found, out int length));
        Assert.Equal(text, found);
        Assert.Equal(code.Length, length);
    }

    [Fact]
    public void What_is_no_instruction_counts_as_one_byte()
    {
        using X86Fixture x = new();
        x.Write(x.Entry, [0x06, 0x90]);
        Assert.True(x.Cpu.TryDisassemble(x.Entry, out string text, out int length));
        Assert.Equal("db 0x06", text);
        Assert.Equal(1, length);
    }

    [Fact]
    public void What_cannot_be_read_is_not_disassembled()
    {
        using X86Fixture x = new();
        Assert.False(x.Cpu.TryDisassemble(1UL << 40, out _, out _));
        // The last page of memory ends in the middle of an instruction.
        x.Write((16 << 20) - 1, [0x90]);
        Assert.True(x.Cpu.TryDisassemble((16 << 20) - 1, out string text, out int length));
        Assert.Equal("nop", text);
        Assert.Equal(1, length);
    }
}

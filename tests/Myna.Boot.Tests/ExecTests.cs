using System.Buffers.Binary;
using System.Text;

namespace Myna.Boot.Tests;

/// <summary><c>myna exec</c> as a user runs it, with programs of a few instructions.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ExecTests : IDisposable
{
    private const ulong Base = 0x10_0000;
    private readonly string _directory = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string Program(string name, params uint[] code) => Write(name, Elf(243, code));

    private string Write(string name, byte[] content)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllBytes(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>One segment: the headers, the code at 0x100, "hello\n" at 0x400.</summary>
    private static byte[] Elf(ushort machine, uint[] code)
    {
        byte[] file = new byte[0x500];
        Span<byte> b = file;
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(b);
        BinaryPrimitives.WriteUInt16LittleEndian(b[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(b[18..], machine);
        BinaryPrimitives.WriteUInt64LittleEndian(b[24..], Base + 0x100);
        BinaryPrimitives.WriteUInt64LittleEndian(b[32..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(b[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(b[56..], 1);
        Span<byte> h = b[64..];
        BinaryPrimitives.WriteUInt32LittleEndian(h, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(h[4..], 7);
        BinaryPrimitives.WriteUInt64LittleEndian(h[16..], Base);
        BinaryPrimitives.WriteUInt64LittleEndian(h[32..], (ulong)file.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(h[40..], (ulong)file.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(h[48..], 4096);
        for (int i = 0; i < code.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(b[(0x100 + 4 * i)..], code[i]);
        "hello\n"u8.CopyTo(b[0x400..]);
        return file;
    }

    /// <summary>The same for i386, whose headers are those of 32-bit ELF.</summary>
    private static byte[] Elf32(ReadOnlySpan<byte> code)
    {
        byte[] file = new byte[0x500];
        Span<byte> b = file;
        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(b);
        BinaryPrimitives.WriteUInt16LittleEndian(b[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(b[18..], 3);
        BinaryPrimitives.WriteUInt32LittleEndian(b[24..], (uint)Base + 0x100);
        BinaryPrimitives.WriteUInt32LittleEndian(b[28..], 52);
        BinaryPrimitives.WriteUInt16LittleEndian(b[42..], 32);
        BinaryPrimitives.WriteUInt16LittleEndian(b[44..], 1);
        Span<byte> h = b[52..];
        uint[] header = [1, 0, (uint)Base, (uint)Base, (uint)file.Length, (uint)file.Length, 7, 4096];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(h[(4 * i)..], header[i]);
        code.CopyTo(b[0x100..]);
        "hello\n"u8.CopyTo(b[0x400..]);
        return file;
    }

    // mov eax, 4; mov ebx, 1; mov ecx, 100400h; mov edx, 6; int 80h; mov eax, 1; mov ebx, 7; int 80h
    private static readonly byte[] s_hello32 =
    [
        0xB8, 0x04, 0x00, 0x00, 0x00, 0xBB, 0x01, 0x00, 0x00, 0x00, 0xB9, 0x00, 0x04, 0x10, 0x00, 0xBA,
        0x06, 0x00, 0x00, 0x00, 0xCD, 0x80, 0xB8, 0x01, 0x00, 0x00, 0x00, 0xBB, 0x07, 0x00, 0x00, 0x00,
        0xCD, 0x80,
    ];

    // sigaction(SIGSEGV, &act, 0); ebx = 5; store to 10h; exit(ebx). The handler changes ebx, which its return restores, and the saved eip.
    private static readonly byte[] s_handler32 =
    [
        0xB8, 0x43, 0x00, 0x00, 0x00, 0xBB, 0x0B, 0x00, 0x00, 0x00, 0xB9, 0x34, 0x01, 0x10, 0x00, 0x31,
        0xD2, 0xCD, 0x80, 0xBB, 0x05, 0x00, 0x00, 0x00, 0xC7, 0x05, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0xB8, 0x01, 0x00, 0x00, 0x00, 0xCD, 0x80, 0xBB, 0x63, 0x00, 0x00, 0x00, 0x83, 0x44,
        0x24, 0x40, 0x0A, 0xC3, 0x29, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00,
    ];

    // set_thread_area of a segment; exit(dword [gs:-4]), which is 42.
    private static readonly byte[] s_segment32 =
    [
        0xB8, 0xF3, 0x00, 0x00, 0x00, 0xBB, 0x30, 0x01, 0x10, 0x00, 0xCD, 0x80, 0xA1, 0x30, 0x01, 0x10,
        0x00, 0x8D, 0x04, 0xC5, 0x03, 0x00, 0x00, 0x00, 0x8E, 0xE8, 0x65, 0x8B, 0x1D, 0xFC, 0xFF, 0xFF,
        0xFF, 0xB8, 0x01, 0x00, 0x00, 0x00, 0xCD, 0x80, 0x2A, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0xFF, 0xFF, 0xFF, 0xFF, 0x2C, 0x01, 0x10, 0x00, 0xFF, 0xFF, 0x0F, 0x00, 0x51, 0x00, 0x00, 0x00,
    ];

    [Theory]
    [InlineData("jit")]
    [InlineData("interp")]
    public void A_program_of_32_bits_calls_handles_a_fault_and_has_segments(string engine)
    {
        Result hello = MynaProgram.Run("exec", "--accel", engine, Write("hello32", Elf32(s_hello32)));
        Assert.Equal("", hello.Error);
        Assert.Equal("hello\n", hello.Output);
        Assert.Equal(7, hello.Status);
        Assert.Equal(5, MynaProgram.Run("exec", "--accel", engine, Write("handler32", Elf32(s_handler32))).Status);
        Assert.Equal(42, MynaProgram.Run("exec", "--accel", engine, Write("segment32", Elf32(s_segment32))).Status);
    }

    private const uint Ecall = 0x73;

    /// <summary>li reg, value (addi reg, zero, value).</summary>
    private static uint Li(uint register, uint value) => 0x13 | register << 7 | value << 20;

    private static uint[] Exit(uint status) => [Li(10, status), Li(17, 93), Ecall];

    // lui a1, 0x100; addi a1, a1, 0x400
    private static uint[] Hello => [Li(10, 1), 0x001005b7, 0x40058593, Li(12, 6), Li(17, 64), Ecall];

    [Theory]
    [InlineData("jit")]
    [InlineData("interp")]
    public void A_program_writes_and_ends_with_its_status(string engine)
    {
        Result result = MynaProgram.Run("exec", "--accel", engine, Program("hello", [.. Hello, .. Exit(7)]), "--help", "--");
        Assert.Equal("hello\n", result.Output);
        Assert.Equal("", result.Error);
        Assert.Equal(7, result.Status);
    }

    /// <summary>lw a0, 0(sp): argc.</summary>
    [Fact]
    public void Words_behind_the_program_are_its_own()
        => Assert.Equal(4, MynaProgram.Run("exec", "--argv0", "x", "--", Program("argc", 0x00012503, Li(17, 93), Ecall), "--strace", "a b", "--").Status);

    [Fact]
    public void System_calls_are_shown()
    {
        Result result = MynaProgram.Run("exec", "--strace", Program("hello", [.. Hello, .. Exit(0)]));
        Assert.Contains("write(1, \"hello\\n\", 6) = 6", result.Error, StringComparison.Ordinal);
        Assert.Contains("exit(0)", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_system_call_is_named_once()
    {
        Result result = MynaProgram.Run("exec", Program("unknown", [Li(17, 999), Ecall, Ecall, .. Exit(3)]));
        Assert.Equal(1, result.Error.Split('\n').Count(l => l.Contains("999", StringComparison.Ordinal)));
        Assert.Equal(3, result.Status);
    }

    /// <summary>A shell sees 128 and the signal's number; sd zero, 0(zero).</summary>
    [Fact]
    public void A_program_that_crashes_ends_by_its_signal()
    {
        Result result = MynaProgram.Run("exec", Program("crash", 0x00003023));
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.Equal(128 + 11, result.Status);
    }

    [Fact]
    public void A_script_is_run_by_its_interpreter()
        => Assert.Equal(3, MynaProgram.Run("exec", Write("script", Encoding.ASCII.GetBytes($"#!{Program("argc", 0x00012503, Li(17, 93), Ecall)} -x\n"))).Status);

    [Theory]
    [InlineData(2, "--bogus", "exec", "--bogus", "x")]
    [InlineData(2, "--sysroot", "exec", "--sysroot")]
    [InlineData(2, "no program", "exec")]
    [InlineData(2, "warp", "exec", "--accel", "warp", "x")]
    [InlineData(127, "/no-such-program", "exec", "/no-such-program")]
    [InlineData(127, "no-such-program", "exec", "no-such-program")]
    [InlineData(126, "directory", "exec", "/usr")]
    [InlineData(126, "--arch x86_64", "exec", "/bin/true")]
    [InlineData(126, "neither", "exec", "")]
    [InlineData(127, "/no-such-root", "exec", "--sysroot", "/no-such-root", "/bin/true")]
    public void What_cannot_be_run_is_said_in_two_lines(int status, string named, params string[] arguments)
    {
        if (named == "neither")
            arguments[1] = Write("text", "no program"u8.ToArray());
        Result result = MynaProgram.Run(arguments);
        Assert.Equal("", result.Output);
        Assert.StartsWith("myna: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
        Assert.InRange(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 2);
        Assert.Equal(status, result.Status);
    }

    [Fact]
    public void A_damaged_program_and_one_of_another_processor_are_named()
    {
        Result cut = MynaProgram.Run("exec", Write("cut", Elf(243, Hello)[..0x200]));
        Assert.Contains("damaged", cut.Error, StringComparison.Ordinal);
        Assert.Equal(126, cut.Status);
        Result arm = MynaProgram.Run("exec", Write("arm", Elf(183, Hello)));
        Assert.Contains("arm64", arm.Error, StringComparison.Ordinal);
        Assert.Equal(126, arm.Status);
    }
}

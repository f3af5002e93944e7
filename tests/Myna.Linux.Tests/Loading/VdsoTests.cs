using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Myna.Linux.Loading;

namespace Myna.Linux.Tests.Loading;

/// <summary>The vDSO as a dynamic loader reads it.</summary>
public sealed class VdsoTests
{
    [Theory]
    [InlineData("riscv64", "__vdso_clock_gettime", "LINUX_4.15", "9308100773000000")]
    [InlineData("riscv64", "__vdso_rt_sigreturn", "LINUX_4.15", "9308b00873000000")]
    [InlineData("x86_64", "__vdso_clock_gettime", "LINUX_2.6", "b8e40000000f05c3")]
    [InlineData("x86_64", "time", "LINUX_2.6", "b8c90000000f05c3")]
    public void A_function_is_found_by_its_hash_and_version(string target, string name, string version, string code)
    {
        byte[] image = Vdso.Build(target == "riscv64" ? Target.RiscV64 : Target.X64)!;
        ulong Long(ulong at) => BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan((int)at));
        uint Word(ulong at) => BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan((int)at));
        ushort Half(ulong at) => BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan((int)at));
        string Text(ulong at) => Encoding.ASCII.GetString(image.AsSpan((int)at, image.AsSpan((int)at).IndexOf((byte)0)));

        // PT_DYNAMIC is the second program header.
        ulong header = Long(32) + Half(54);
        Assert.Equal(2u, Word(header));
        var dynamic = new Dictionary<ulong, ulong>();
        for (ulong at = Long(header + 8); Long(at) != 0; at += 16)
            dynamic[Long(at)] = Long(at + 8);
        ulong strings = dynamic[5], symbols = dynamic[6], hash = dynamic[4];
        uint found = 0;
        for (uint i = Word(hash + 8 + 4 * (Hash(name) % Word(hash))); i != 0; i = Word(hash + 8 + 4 * Word(hash) + 4 * i))
        {
            if (Text(strings + Word(symbols + 24 * i)) == name)
                found = i;
        }
        Assert.NotEqual(0u, found);
        ulong symbol = symbols + 24 * found;
        Assert.Equal(code, Convert.ToHexStringLower(image.AsSpan((int)Long(symbol + 8), 8)));

        ushort index = Half(dynamic[0x6FFF_FFF0] + 2 * found);
        ulong definition = dynamic[0x6FFF_FFFC];
        while (Half(definition + 4) != index)
            definition += Word(definition + 16);
        Assert.Equal(version, Text(strings + Word(definition + Word(definition + 12))));
        Assert.Equal(Hash(version), Word(definition + 8));
    }

    /// <summary>binutils reads it without complaint.</summary>
    [Fact]
    public async Task Readelf_agrees()
    {
        if (!File.Exists("/usr/bin/readelf"))
            return;
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, Vdso.Build(Target.X64)!);
            using Process readelf = Process.Start(new ProcessStartInfo("/usr/bin/readelf", ["-W", "-a", file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> errors = readelf.StandardError.ReadToEndAsync();
            string output = await readelf.StandardOutput.ReadToEndAsync();
            Assert.Equal("", await errors);
            Assert.Contains("__vdso_getcpu@@LINUX_2.6", output, StringComparison.Ordinal);
            Assert.Contains("Library soname: [linux-vdso.so.1]", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static uint Hash(string name)
    {
        uint h = 0;
        foreach (char c in name)
        {
            h = (h << 4) + c;
            h ^= (h & 0xF000_0000) >> 24;
            h &= 0x0FFF_FFFF;
        }
        return h;
    }
}

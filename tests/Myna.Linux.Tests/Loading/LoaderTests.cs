using System.Buffers.Binary;
using System.Text;
using Myna.Host;
using Myna.Jit.Memory;
using Myna.Linux.Loading;
using Myna.Linux.Memory;

namespace Myna.Linux.Tests.Loading;

public sealed class LoaderTests : IDisposable
{
    private const uint R = 4, W = 2, X = 1;
    /// <summary>Every test loads elsewhere: all share this process's memory.</summary>
    private static int s_count = 0x10;

    private readonly string _directory = Directory.CreateTempSubdirectory("myna").FullName;
    private readonly ulong _base = (ulong)Interlocked.Increment(ref s_count) << 32;
    private readonly AddressSpace _space;

    public LoaderTests() => _space = new AddressSpace(0x2000_0000_0000 + (_base << 4));

    public void Dispose()
    {
        _space.Clear();
        Directory.Delete(_directory, recursive: true);
    }

    private string Write(string name, byte[] content)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllBytes(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private LoadedImage Load(string path, string[]? arguments = null, string[]? environment = null, Sysroot? sysroot = null)
        => Loader.Load(_space, sysroot, path, arguments ?? [path], environment ?? [], _ => (0x112d, 0));

    private ElfBuilder Program(ushort type = 2, string? interpreter = null) => new()
    {
        Type = type,
        Entry = (type == 2 ? _base : 0) + 0x1000,
        Interpreter = interpreter,
        Headers =
        {
            (1, R | X, 0x1000, (type == 2 ? _base : 0) + 0x1000, 0x800, 0x800),
            (1, R | W, 0x1800, (type == 2 ? _base : 0) + 0x2800, 0x400, 0x3000),
        },
    };

    [Fact]
    public void Segments_lie_where_the_file_says_with_zeroes_behind_them()
    {
        LoadedImage image = Load(Write("p", Program().Build()));
        Assert.Equal(_base + 0x1000, image.Entry);
        Assert.Equal(PageRights.Read | PageRights.Execute, _space.RightsAt(_base + 0x1000));
        Assert.Equal(PageRights.Read | PageRights.Write, _space.RightsAt(_base + 0x2000));
        byte[] bytes = new byte[0x3000];
        Assert.True(GuestMemory.TryRead(_base + 0x2800, bytes));
        Assert.Equal(unchecked((byte)(0x1800 * 7)), bytes[0]);
        Assert.Equal(unchecked((byte)(0x1bff * 7)), bytes[0x3ff]);
        Assert.All(bytes[0x400..], b => Assert.Equal(0, b));
        Assert.Equal((long)_base + 0x6000, _space.Break(0));
    }

    [Fact]
    public void A_position_independent_program_is_moved_as_a_whole()
    {
        LoadedImage image = Load(Write("p", Program(type: 3).Build()));
        Assert.NotEqual(0u, image.ProgramBase);
        Assert.Equal(image.ProgramBase + 0x1000, image.Entry);
        Assert.True(GuestMemory.TryRead(image.ProgramBase + 0x1000, out byte first));
        Assert.Equal(unchecked((byte)(0x1000 * 7)), first);
    }

    [Fact]
    public void The_stack_holds_arguments_environment_and_auxiliary_vector()
    {
        LoadedImage image = Load(Write("p", Program().Build()), ["name", "one", "a\u00ffb"], ["A=1", "B="]);
        Assert.Equal(0u, image.StackPointer & 15);
        ulong at = image.StackPointer;
        Assert.Equal(3u, Word(ref at));
        Assert.Equal(["name", "one", "a\u00ffb"], Strings(ref at));
        Assert.Equal(["A=1", "B="], Strings(ref at));
        var auxiliary = new Dictionary<ulong, ulong>();
        while (Word(ref at) is var type && type != 0)
            auxiliary.Add(type, Word(ref at));
        Assert.Equal(0u, Word(ref at));
        Assert.Equal(4096u, auxiliary[6]);
        Assert.Equal(56u, auxiliary[4]);
        Assert.Equal(2u, auxiliary[5]);
        Assert.Equal(_base + 0x1000, auxiliary[9]);
        Assert.Equal(0u, auxiliary[7]);
        Assert.Equal(0x112du, auxiliary[16]);
        Assert.True(GuestMemory.TryRead(auxiliary[25] + 15, out byte _));
        Assert.Equal(Path.Combine(_directory, "p"), Text(auxiliary[31]));
        Assert.Equal(image.AuxiliaryVector.Length, 16 * (auxiliary.Count + 1));
    }

    [Fact]
    public void A_missing_dynamic_loader_is_named()
    {
        string path = Write("p", Program(interpreter: "/lib/ld-nowhere.so.1").Build());
        LoadException e = Assert.Throws<LoadException>(() => Load(path));
        Assert.Contains("/lib/ld-nowhere.so.1", e.Message, StringComparison.Ordinal);
        Assert.Contains("--sysroot", e.Message, StringComparison.Ordinal);
        Assert.Equal(127, e.Status);
    }

    [Fact]
    public void A_dynamic_loader_comes_from_the_sysroot_and_runs_first()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "root/lib"));
        _ = Write("root/lib/real.so", Program(type: 3).Build());
        // Absolute links of the sysroot are the sysroot's.
        File.CreateSymbolicLink(Path.Combine(_directory, "root/lib/ld-nowhere.so.1"), "/lib/real.so");
        LoadedImage image = Load(Write("p", Program(interpreter: "/lib/ld-nowhere.so.1").Build()), sysroot: new Sysroot(Path.Combine(_directory, "root")));
        Assert.NotEqual(0u, image.InterpreterBase);
        Assert.Equal(image.InterpreterBase + 0x1000, image.Entry);
    }

    [Fact]
    public void A_script_runs_its_interpreter()
    {
        string program = Write("p", Program().Build());
        string script = Write("s", Encoding.ASCII.GetBytes($"#! {program}  -x  y \necho\n"));
        LoadedImage image = Load(script, ["script", "argument"]);
        Assert.Equal([program, "-x  y", script, "argument"], image.Arguments);
        Assert.Equal(program, image.Path);
    }

    [Fact]
    public void Scripts_that_interpret_themselves_end()
    {
        string path = Path.Combine(_directory, "s");
        _ = Write("s", Encoding.ASCII.GetBytes($"#!{path}\n"));
        Assert.Equal(Errno.ELOOP, Assert.Throws<LoadException>(() => Load(path)).Errno);
    }

    [Fact]
    public void What_is_no_program_is_said()
    {
        Assert.Equal(127, Assert.Throws<LoadException>(() => Load(Path.Combine(_directory, "nothing"))).Status);
        Assert.Equal(126, Assert.Throws<LoadException>(() => Load(_directory)).Status);
        Assert.Equal(126, Assert.Throws<LoadException>(() => Load(Write("t", "text"u8.ToArray()))).Status);
        string arm = Write("arm", new ElfBuilder { Machine = 183 }.Build());
        Assert.Contains("arm64", Assert.Throws<LoadException>(() => Load(arm)).Message, StringComparison.Ordinal);
        string object_ = Write("o", new ElfBuilder { Type = 1 }.Build());
        Assert.Contains("link it", Assert.Throws<LoadException>(() => Load(object_)).Message, StringComparison.Ordinal);
    }

    /// <summary>Whatever a damaged file says, it is loaded or refused; nothing else comes out.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Damaged_headers_never_do_more_than_fail(int seed)
    {
        var random = new Random(seed);
        byte[] good = Program(type: 3).Build();
        ulong[] odd = [0, 1, 0xfff, 0x7fff_ffff, 0xffff_ffff, 0x5400_0000_0000, 0x7fff_ffff_ffff, 1UL << 63, ulong.MaxValue, ulong.MaxValue - 0xfff];
        int failures = 0;
        for (int i = 0; i < 300; i++)
        {
            byte[] bad = (byte[])good.Clone();
            for (int n = random.Next(1, 4); n > 0; n--)
                BinaryPrimitives.WriteUInt64LittleEndian(bad.AsSpan(16 + 8 * random.Next(20)), odd[random.Next(odd.Length)]);
            string path = Write("bad", random.Next(8) == 0 ? bad[..random.Next(bad.Length)] : bad);
            try
            {
                LoadedImage image = Load(path);
                Assert.NotNull(image);
            }
            catch (LoadException e)
            {
                Assert.InRange(e.Status, 126, 127);
                failures++;
            }
            _space.Clear();
        }
        Assert.InRange(failures, 100, 300);
    }

    private static ulong Word(ref ulong at)
    {
        Assert.True(GuestMemory.TryRead(at, out ulong value));
        at += 8;
        return value;
    }

    private static List<string> Strings(ref ulong at)
    {
        var all = new List<string>();
        while (Word(ref at) is var pointer && pointer != 0)
            all.Add(Text(pointer));
        return all;
    }

    private static string Text(ulong address)
    {
        byte[] buffer = new byte[4096];
        return Encoding.Latin1.GetString(buffer, 0, GuestMemory.ReadString(address, buffer, buffer.Length));
    }
}

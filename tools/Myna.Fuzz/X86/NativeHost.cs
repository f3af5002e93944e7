using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Runtime.Versioning;

namespace Myna.Fuzz.X86;

/// <summary>The host's processor: a child process that executes cases (<see cref="NativeProgram"/>).</summary>
[SupportedOSPlatform("linux")]
internal sealed class NativeHost : IExecutor
{
    private readonly string _folder = Directory.CreateTempSubdirectory("myna-fuzz-").FullName;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte[] _control = new byte[Layout.Page];
    private Process _process;

    public NativeHost()
    {
        string program = Path.Combine(_folder, "native");
        File.WriteAllBytes(program, NativeProgram.Build());
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        _file = MemoryMappedFile.CreateFromFile(Path.Combine(_folder, "shared"), FileMode.CreateNew, null, Layout.FileSize);
        _view = _file.CreateViewAccessor();
        _process = Start();
    }

    /// <summary>Why this host cannot run the native side, or null.</summary>
    public static string? Missing => !OperatingSystem.IsLinux() || RuntimeInformation.OSArchitecture != Architecture.X64 ? "needs Linux on x86-64"
        : !Avx2.IsSupported ? "needs a processor with AVX2"
        : (X86Base.CpuId(7, 0).Ebx & 1) == 0 ? "needs a processor with FSGSBASE"
        : null;

    public string Name => "native";

    /// <summary>Times that the process died of a case and was started anew.</summary>
    public int Restarts { get; private set; }

    private Process Start()
    {
        var info = new ProcessStartInfo(Path.Combine(_folder, "native"), [Path.Combine(_folder, "shared")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(info) ?? throw new InvalidOperationException("the native process does not start");
    }

    /// <summary>Executes a case.</summary>
    /// <returns>False when it did not come to an end.</returns>
    public bool Run(TestCase test, Outcome outcome)
    {
        test.WriteControl(_control);
        SafeBuffer buffer = _view.SafeMemoryMappedViewHandle;
        buffer.WriteSpan<byte>(Layout.ControlFile, _control);
        buffer.WriteSpan<byte>(Layout.CodeFile, test.Memory);
        Stream input = _process.StandardInput.BaseStream;
        input.WriteByte(1);
        input.Flush();
        if (_process.StandardOutput.BaseStream.ReadByte() < 0)
        {
            Restarts++;
            _process.Dispose();
            _process = Start();
            return false;
        }
        buffer.ReadSpan<byte>(Layout.ControlFile, _control);
        buffer.ReadSpan<byte>(Layout.CodeFile, outcome.Memory);
        ReadOnlySpan<byte> registers = _control.AsSpan(Layout.OutRegisters);
        ReadOnlySpan<byte> order = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4];
        for (int i = 0; i < 16; i++)
            outcome.Gpr[order[i]] = Quad(registers, i);
        outcome.Rip = Quad(registers, 16);
        outcome.Rflags = Quad(registers, 17);
        outcome.ErrorCode = Quad(registers, 19);
        outcome.Vector = (int)Quad(registers, 20);
        outcome.Cr2 = Quad(registers, 22);
        outcome.FsBase = Quad(_control.AsSpan(Layout.OutFsBase), 0);
        outcome.GsBase = Quad(_control.AsSpan(Layout.OutGsBase), 0);
        _control.AsSpan(Layout.OutXsave, Layout.XsaveSize).CopyTo(outcome.Xsave);
        return Quad(_control.AsSpan(Layout.OutSignal), 0) != NativeProgram.Timeout;
    }

    private static ulong Quad(ReadOnlySpan<byte> bytes, int index) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[(index * 8)..]);

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit(1000);
        _process.Dispose();
        _view.Dispose();
        _file.Dispose();
        Directory.Delete(_folder, true);
    }
}

using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Jit.User;
using Myna.Linux.Abis;
using Myna.Linux.Loading;
using Myna.Linux.Memory;

namespace Myna.Linux.Threads;

/// <summary>Makes the CPUs of a process's threads: one translator and one memory for all.</summary>
public sealed class UserTranslation
{
    private readonly LinuxProcess _process;
    private readonly DirectMemory _memory;
    private readonly Hardware.Memory.AddressSpace _none = new();
    private readonly UserClock _clock = new();
    private readonly HartTranslator? _harts;
    private ulong _trampoline;

    public UserTranslation(LinuxProcess process)
    {
        _process = process;
        _memory = new DirectMemory(process.Memory);
        process.Memory.Translator = _memory;
        bool interpret = !process.Options.Translate || !HartTranslator.IsSupported;
        if (process.Target.Abi == AbiKind.RiscV64)
        {
            if (!interpret)
                _harts = new HartTranslator(_none, user: _memory);
        }
    }

    /// <summary>A CPU in its initial state.</summary>
    public UserCpu CreateCpu()
    {
        switch (_process.Target.Abi)
        {
            case AbiKind.RiscV64:
                var hart = new Hart(new HartOptions { Memory = _none, Clock = _clock, User = _memory });
                var interpreter = new Interpreter(hart);
                ICpuEngine engine = _harts?.CreateEngine(hart, interpreter) ?? interpreter;
                hart.Stepper = interpreter;
                hart.Engine = engine;
                return new RiscVUserCpu(hart, _process.Memory, Trampoline(), _ => { _harts?.Remove(engine); });
            default:
                throw new NotSupportedException($"programs for {_process.Target.Name} do not run yet");
        }
    }

    // Where handlers return to: li a7, __NR_rt_sigreturn; ecall.
    private ulong Trampoline()
    {
        if (_trampoline != 0)
            return _trampoline;
        long page = _process.Memory.Map(0, AddressSpace.PageSize, Protection.Read | Protection.Write, MapFlags.Private | MapFlags.Anonymous);
        if (page < 0)
            throw new IOException("no memory for the signal trampoline");
        ReadOnlySpan<byte> code = [0x93, 0x08, 0xB0, 0x08, 0x73, 0x00, 0x00, 0x00];
        _ = Host.User.SafeMemory.Write((ulong)page, code);
        _process.Memory.Protect((ulong)page, AddressSpace.PageSize, Protection.Read | Protection.Execute);
        return _trampoline = (ulong)page;
    }
}

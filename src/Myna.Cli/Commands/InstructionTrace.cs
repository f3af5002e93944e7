using System.Globalization;
using Myna.Cpu;
using Myna.Host;
using Myna.Machines;

namespace Myna.Cli.Commands;

/// <summary>Writes every instruction before it is executed: CPU, address, assembly text.</summary>
internal sealed class InstructionTrace : IDisposable
{
    private readonly StreamWriter _writer;
    private readonly Lock _lock = new();

    /// <param name="path">Empty: standard error.</param>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public InstructionTrace(Machine machine, string path)
    {
        try
        {
            _writer = new StreamWriter(path.Length == 0 ? StandardStreams.OpenError() : File.Create(path), bufferSize: 1 << 16);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot write the trace: {e.Message}");
        }
        foreach (VirtualCpu cpu in machine.Cpus)
            cpu.Tracer = Write;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            try
            {
                _writer.Dispose();
            }
            catch (IOException)
            {
                // The reader is gone or the disk is full; there is nobody left to tell.
            }
        }
    }

    private void Write(VirtualCpu cpu)
    {
        ulong pc = cpu.Pc;
        string text = cpu.TryDisassemble(pc, out string instruction, out _) ? instruction : "(not readable)";
        lock (_lock)
        {
            if (_writer.BaseStream is not { CanWrite: true })
                return;
            _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{cpu.Index} {pc:x16}  {text}"));
        }
    }
}

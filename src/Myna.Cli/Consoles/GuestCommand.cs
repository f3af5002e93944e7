using System.Globalization;
using System.Text;
using Myna.Machines;

namespace Myna.Cli.Consoles;

/// <summary>
/// Runs one command in the default guest: four named virtio ports carry the command and its status, its standard input (in
/// blocks, each after a line with its length, 0 for the end), and its two outputs. Guests/init.sh is the other side.
/// </summary>
internal sealed class GuestCommand : IDisposable
{
    private const int BlockSize = 4096;
    private readonly string[] _command;
    private readonly Stream _input;
    private readonly OutputPump _output, _error;
    private readonly CharPort _control, _stdin, _stdout, _stderr;
    private readonly StringBuilder _line = new();
    private readonly CancellationTokenSource _ended = new();

    public GuestCommand(string[] command, Stream input, Stream output, Stream error)
    {
        _command = command;
        _input = input;
        _output = new OutputPump(output, "stdout");
        _error = new OutputPump(error, "stderr");
        _control = new CharPort(OnControl);
        _stdin = new CharPort(static _ => { });
        _stdout = new CharPort(_output.Write);
        _stderr = new CharPort(_error.Write);
    }

    /// <summary>The command's exit status; null until the guest has said it.</summary>
    public int? Status { get; private set; }

    /// <summary>The command's standard output: who ends the machine when its reader is gone follows it.</summary>
    public OutputPump Output => _output;

    /// <summary>Its standard error: a reader of that may go.</summary>
    public OutputPump Error => _error;

    public IEnumerable<DeviceOptions> Devices =>
    [
        new ConsoleDevice(_control, "myna.control"),
        new ConsoleDevice(_stdin, "myna.stdin"),
        new ConsoleDevice(_stdout, "myna.stdout"),
        new ConsoleDevice(_stderr, "myna.stderr"),
    ];

    /// <summary>The script that a POSIX shell runs: each word quoted so that nothing in it has a meaning.</summary>
    public static string Script(IEnumerable<string> command) =>
        string.Join(' ', command.Select(word => "'" + word.Replace("'", @"'\''", StringComparison.Ordinal) + "'")) + "\n";

    public void Dispose()
    {
        _ended.Cancel();
        _output.Dispose();
        _error.Dispose();
    }

    /// <summary>The guest's side of the control port, in lines: "ready", "status N".</summary>
    private void OnControl(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (b != '\n')
            {
                // A line of this protocol is short; a guest that writes on and on is not one of ours.
                if (_line.Length < 100)
                    _line.Append((char)b);
                continue;
            }
            string[] words = _line.ToString().Split(' ');
            _line.Clear();
            if (words is ["ready"])
                Start();
            else if (words is ["status", string status] && int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out int value))
                Status = value & 0xFF;
        }
    }

    private void Start()
    {
        byte[] script = Encoding.UTF8.GetBytes(Script(_command));
        Run("control", () => Send(_control, script));
        Run("stdin", PumpInput);
    }

    private void Send(CharPort port, ReadOnlySpan<byte> block)
    {
        byte[] length = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{block.Length}\n"));
        port.Deliver(length, _ended.Token);
        port.Deliver(block, _ended.Token);
    }

    private void PumpInput()
    {
        byte[] buffer = new byte[BlockSize];
        int count;
        do
        {
            try
            {
                count = _input.Read(buffer);
            }
            catch (IOException)
            {
                // Standard input cannot be read (closed, a directory): for the command it is empty.
                count = 0;
            }
            Send(_stdin, buffer.AsSpan(0, count));
        }
        while (count > 0);
    }

    private static void Run(string name, Action action) =>
        new Thread(() =>
        {
            try
            {
                action();
            }
            catch (OperationCanceledException)
            {
                // The machine has ended.
            }
        })
        { Name = name, IsBackground = true }.Start();
}
